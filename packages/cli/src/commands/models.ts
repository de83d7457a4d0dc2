import { MeshApi } from '../api/mesh-api.ts'
import type { CommandDefinition } from '../command.ts'
import { EXIT_OK } from '../context.ts'

export const modelsCommand: CommandDefinition = {
  name: 'models',
  summary: 'Lists the models that the mesh serves.',
  settings: ['url', 'apiKey'],
  json: 'print the API’s answer as JSON',
  examples: ['resultity models', 'resultity models --url http://192.0.2.7:8420 --json'],
  async run({ settings, json, context }) {
    const models = await new MeshApi(settings.url, settings.apiKey).models()
    if (json) context.stdout.write(`${JSON.stringify(models)}\n`)
    else context.stdout.write(models.map(model => `${model.id}\n`).join(''))
    return EXIT_OK
  }
}

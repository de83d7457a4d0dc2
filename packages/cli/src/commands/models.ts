import { MeshApi } from '../api/mesh-api.ts'
import type { CommandDefinition } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import { joined, text } from '../output/text.ts'

export const modelsCommand: CommandDefinition = {
  name: 'models',
  summary: 'Lists the models that the mesh serves.',
  settings: ['url', 'apiKey'],
  json: 'print the API’s answer as JSON',
  examples: ['resultity models', 'resultity models --url http://192.0.2.7:8420 --json'],
  async run({ settings, json, context }) {
    const models = await new MeshApi(settings.url, settings.apiKey).models()
    if (json) context.out.json(models)
    else
      context.out.print(
        joined(
          models.map(({ id }) => text`${id}\n`),
          ''
        )
      )
    return EXIT_OK
  }
}

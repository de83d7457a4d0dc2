import { formatRange, MeshError } from '@resultity/interface'
import type { ApiPlan } from '../api/answers.ts'
import { MeshApi } from '../api/mesh-api.ts'
import type { CommandDefinition } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import { formatTable, shortPeer } from '../output/table.ts'
import { joined, type Text, text } from '../output/text.ts'
import { formatByteSize } from '../settings/byte-size.ts'

export const planCommand: CommandDefinition = {
  name: 'plan',
  summary: 'Shows which node would serve which layers of a model, and the predicted time per token.',
  settings: ['model', 'stages', 'url', 'apiKey'],
  json: 'print the plan as one JSON object',
  examples: ['resultity plan --model smollm2-135m', 'resultity plan --model tiny-chat --stages 2 --json'],
  async run({ settings, json, context }) {
    const [model] = settings.model ?? []
    if (model === undefined) {
      throw new MeshError('settings_invalid', '--model: a model is needed', {
        hint: '"resultity models" lists those that are served.'
      })
    }
    const plan = await new MeshApi(settings.url, settings.apiKey).plan(model, settings.stages ?? 'auto')
    if (json) context.out.json(plan)
    else context.out.print(describe(plan))
    return EXIT_OK
  }
}

function describe(plan: ApiPlan): Text {
  const rows = plan.stages.map(stage => [
    formatRange(stage.range),
    shortPeer(stage.peerId),
    formatByteSize(stage.memoryBytes),
    `${stage.ms.toFixed(2)} ms`,
    `${stage.hopMs.toFixed(2)} ms`
  ])
  const lines = [
    formatTable(['layers', 'node', 'memory', 'computing', 'hop'], rows),
    text`  predicted  ${plan.msPerToken.toFixed(2)} ms a token, ${plan.tokensPerSecond.toFixed(1)} tokens/s for one answer`,
    text`  to fetch   ${formatByteSize(plan.bytesToMove)}`,
    ''
  ]
  return joined(lines, '\n')
}

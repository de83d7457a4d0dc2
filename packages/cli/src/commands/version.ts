import type { CommandDefinition } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import { version } from '../version.ts'

export const versionCommand: CommandDefinition = {
  name: 'version',
  summary: 'Prints the versions of resultity and of what it runs on.',
  settings: [],
  json: 'print them as one JSON object',
  examples: ['resultity version', 'resultity version --json'],
  async run({ json, context }) {
    const facts = { version, node: process.versions.node, platform: process.platform, architecture: process.arch }
    const text = `resultity ${version} (Node ${facts.node}, ${facts.platform}-${facts.architecture})`
    context.stdout.write(`${json ? JSON.stringify(facts) : text}\n`)
    return EXIT_OK
  }
}

import { setFlagsFromString } from 'node:v8'
import { parseTuning } from '@resultity/interface'
import type { Logger } from 'pino'
import type { CommandDefinition, CommandRun } from '../command.ts'
import { runDaemon, type StartedDaemon } from '../daemon/run-daemon.ts'

export const nodeCommand: CommandDefinition = {
  name: 'node',
  summary: 'Runs a node agent: offers this machine’s memory and processors to a coordinator.',
  settings: [
    'join',
    'listen',
    'announce',
    'mdns',
    'data',
    'memory',
    'threads',
    'spinning',
    'engine',
    'tuning',
    'label',
    'blobSource',
    'blobCache',
    'logLevel'
  ],
  dataDirectory: 'node',
  daemon: true,
  json: 'print one JSON line when ready',
  examples: [
    'resultity node',
    'resultity node --join /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW… --memory 8GiB',
    'resultity node --data /srv/node-2 --threads 4 --label zone=attic'
  ],
  run: input => runDaemon(input, logger => start(input, logger))
}

async function start({ settings }: CommandRun, logger: Logger): Promise<StartedDaemon> {
  // an agent's garbage is small and short-lived: a young generation that never grows saves 25 MB beside the weights
  setFlagsFromString('--semi-space-growth-factor=1')
  // loaded only here: the other commands must start without libp2p and the inference runtime
  const { startNode } = await import('@resultity/node')
  const node = await startNode({
    dataDir: settings.data,
    listen: settings.listen,
    announce: settings.announce,
    join: settings.join,
    // an operator who names the coordinator wants that one and no other
    mdns: settings.mdns && settings.join.length === 0,
    ...(settings.memory === undefined ? {} : { memoryBytes: settings.memory }),
    ...(settings.threads === undefined ? {} : { threads: settings.threads }),
    ...(settings.spinning === undefined ? {} : { spinning: settings.spinning }),
    ...(settings.engine === undefined ? {} : { engine: settings.engine }),
    tuning: parseTuning(settings.tuning) ?? true,
    labels: settings.label,
    blobSources: settings.blobSource,
    ...(settings.blobCache === undefined ? {} : { blobCacheBytes: settings.blobCache }),
    logger
  })
  const multiaddrs = node.multiaddrs()
  return {
    ready: { role: 'node', peerId: node.peerId, multiaddrs },
    summary: [`node ${node.peerId} is up`, ...multiaddrs.map(address => `  listening on ${address}`)],
    close: () => node.close()
  }
}

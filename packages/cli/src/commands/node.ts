import { setFlagsFromString } from 'node:v8'
import { parseTuning } from '@resultity/interface'
import type { DrainProgress, RunningNode } from '@resultity/node'
import type { Logger } from 'pino'
import type { CommandDefinition, CommandRun } from '../command.ts'
import { type DrainReport, writeDrainReport } from '../daemon/drain-report.ts'
import { runDaemon, type StartedDaemon } from '../daemon/run-daemon.ts'
import { hubAccess } from '../models/hub-access.ts'
import { nodeDrainCommand } from './node-drain.ts'

/** An answer goes on elsewhere within seconds; layers that others must fetch first may take longer. */
const DRAIN_DEADLINE_S = 60

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
    'sentLog',
    'blobCache',
    'hub',
    'hubTokenFile',
    'upstream',
    'upstreamModel',
    'upstreamKeyFile',
    'upstreamJobs',
    'drainDeadline',
    'logLevel'
  ],
  dataDirectory: 'node',
  daemon: true,
  commands: [nodeDrainCommand],
  json: 'print one JSON line when ready',
  examples: [
    'resultity node',
    'resultity node --join rinvite_CiQ… --memory 8GiB',
    'resultity node --join /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…',
    'resultity node --data /srv/node-2 --threads 4 --label zone=attic',
    'resultity node --upstream http://127.0.0.1:8000/v1'
  ],
  run: input => runDaemon(input, logger => start(input, logger), 'node')
}

async function start({ settings, context }: CommandRun, logger: Logger): Promise<StartedDaemon> {
  // an agent's garbage is small and short-lived: a young generation that never grows saves 25 MB beside the weights
  setFlagsFromString('--semi-space-growth-factor=1')
  // loaded only here: the other commands must start without libp2p and the inference runtime
  const { startNode } = await import('@resultity/node')
  const hub = settings.hub === 'off' ? undefined : await hubAccess(settings, context.env)
  const node = await startNode({
    ...(hub === undefined ? {} : { hub }),
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
    ...(settings.sentLog === undefined ? {} : { limits: { sentLogBytes: settings.sentLog } }),
    upstreams: {
      targets: settings.upstream,
      ...(settings.upstreamModel.length === 0 ? {} : { models: settings.upstreamModel }),
      keyFile: settings.upstreamKeyFile,
      jobsMax: settings.upstreamJobs
    },
    logger
  })
  const multiaddrs = node.multiaddrs()
  return {
    ready: { role: 'node', peerId: node.peerId, multiaddrs },
    summary: [`node ${node.peerId} is up`, ...multiaddrs.map(address => `  listening on ${address}`)],
    failed: node.refused,
    drain: () => drain(node, settings, logger),
    close: () => node.close()
  }
}

/** Hands over what the node serves, and writes down how far it is. */
async function drain(node: RunningNode, settings: CommandRun['settings'], logger: Logger): Promise<void> {
  const seconds = settings.drainDeadline ?? DRAIN_DEADLINE_S
  let written: Promise<void> = Promise.resolve()
  const write = (report: Omit<DrainReport, 'pid'>): Promise<void> => {
    written = written
      .then(() => writeDrainReport(settings.data, { pid: process.pid, ...report }))
      // a full disk must not keep a node from leaving
      .catch((error: unknown) => logger.warn({ err: error }, 'how far this node is could not be written down'))
    return written
  }
  const onProgress = ({ placements, running }: DrainProgress): void => {
    logger.info({ placements, running, seconds }, 'leaving: others take over what this node serves')
    void write({ state: 'draining', placements, running })
  }
  const { drained, placements, running } = await node.drain({ deadlineMs: seconds * 1000, onProgress })
  await write({ state: drained ? 'drained' : 'deadline', placements, running })
  if (drained) logger.info('nothing is left to hand over')
  else logger.warn({ placements, running }, `not all was handed over within ${seconds} s; the rest is cut off`)
}

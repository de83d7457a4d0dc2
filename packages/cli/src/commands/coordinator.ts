import type { Logger } from 'pino'
import type { CommandDefinition, CommandRun } from '../command.ts'
import { tellParent } from '../daemon/parent-channel.ts'
import { runDaemon } from '../daemon/run-daemon.ts'

export const coordinatorCommand: CommandDefinition = {
  name: 'coordinator',
  summary: 'Runs a coordinator: takes HTTP requests and spreads models over the nodes that join it.',
  settings: [
    'http',
    'listen',
    'announce',
    'mdns',
    'data',
    'model',
    'stages',
    'contextLength',
    'sessions',
    'prefillChunk',
    'logLevel'
  ],
  dataDirectory: 'coordinator',
  json: 'print one JSON line when ready',
  examples: [
    'resultity coordinator',
    'resultity coordinator --http 0.0.0.0:8420 --listen /ip4/0.0.0.0/tcp/4001 --model smollm2-135m',
    'resultity coordinator --model file:/srv/models/llama.gguf --stages 2'
  ],
  run: input => runDaemon(input, (logger, signal) => start(input, logger, signal))
}

async function start({ settings }: CommandRun, logger: Logger, signal: AbortSignal) {
  // loaded only here: the other commands must start without libp2p and the inference runtime
  const { startCoordinator } = await import('@resultity/coordinator')
  const { importModels } = await import('../models/import.ts')
  const models = await importModels(settings.model ?? [], {
    dataDir: settings.data,
    signal,
    onProgress: step => tellParent({ type: 'progress', ...step }),
    onNotice: text => {
      logger.warn(text)
      tellParent({ type: 'notice', text })
    }
  })
  const coordinator = await startCoordinator({
    dataDir: settings.data,
    http: settings.http,
    listen: settings.listen,
    announce: settings.announce,
    mdns: settings.mdns,
    models,
    stages: settings.stages ?? 'auto',
    ...(settings.contextLength === undefined ? {} : { contextLength: settings.contextLength }),
    ...(settings.sessions === undefined ? {} : { sessionsMax: settings.sessions }),
    ...(settings.prefillChunk === undefined ? {} : { prefillChunk: settings.prefillChunk }),
    logger
  })
  const multiaddrs = coordinator.multiaddrs()
  return {
    ready: { role: 'coordinator', peerId: coordinator.peerId, multiaddrs, http: coordinator.httpUrl },
    summary: [
      `coordinator ${coordinator.peerId} is up`,
      `  API   ${coordinator.httpUrl}/v1`,
      ...multiaddrs.map(address => `  nodes  resultity node --join ${address}`)
    ],
    close: () => coordinator.close()
  }
}

import { setFlagsFromString } from 'node:v8'
import type { RunningCoordinator } from '@resultity/coordinator'
import { MeshError, parseTuning } from '@resultity/interface'
import type { Logger } from 'pino'
import type { CommandDefinition, CommandRun } from '../command.ts'
import { tellParent } from '../daemon/parent-channel.ts'
import { runDaemon, type StartedDaemon } from '../daemon/run-daemon.ts'
import { hubAccess } from '../models/hub-access.ts'

type FailedModel = RunningCoordinator['failedModels'][number]

export const coordinatorCommand: CommandDefinition = {
  name: 'coordinator',
  summary: 'Runs a coordinator: takes HTTP requests and spreads models over the nodes that join it.',
  settings: [
    'http',
    'corsOrigin',
    'allowedHost',
    'httpConnections',
    'httpConnectionsPerAddress',
    'open',
    'webhookPrivate',
    'openJoin',
    'localJoin',
    'allowNode',
    'listen',
    'announce',
    'mdns',
    'data',
    'model',
    'hub',
    'hubTokenFile',
    'importMax',
    'quantize',
    'store',
    'alias',
    'subcloud',
    'content',
    'namespaceBytes',
    'diskReserve',
    'stages',
    'contextLength',
    'sessions',
    'truncateInputs',
    'prefillChunk',
    'reusePrompts',
    'tuning',
    'nodeSilence',
    'jobCrashesMax',
    'ffmpeg',
    'recordingHours',
    'pictureMegapixels',
    'pictureStateSeconds',
    'publicUrl',
    'logLevel'
  ],
  dataDirectory: 'coordinator',
  daemon: true,
  json: 'print one JSON line when ready',
  examples: [
    'resultity coordinator',
    'resultity coordinator --http 0.0.0.0:8420 --listen /ip4/0.0.0.0/tcp/4001 --allow-node 12D3KooW…',
    'resultity coordinator --model file:/srv/models/llama.gguf --stages 2'
  ],
  run: input => runDaemon(input, (logger, signal, openFilesMax) => start(input, logger, signal, openFilesMax))
}

async function start(
  { settings, context }: CommandRun,
  logger: Logger,
  signal: AbortSignal,
  openFilesMax: number | undefined
): Promise<StartedDaemon> {
  // loaded only here: the other commands must start without libp2p and the inference runtime
  const { startCoordinator } = await import('@resultity/coordinator')
  const { toStep } = await import('../models/import.ts')
  const coordinator = await withFallback(settings.model ?? [], logger, async models =>
    startCoordinator(
      {
        dataDir: settings.data,
        http: settings.http,
        corsOrigins: settings.corsOrigin,
        allowedHosts: settings.allowedHost,
        open: settings.open,
        webhookPrivate: settings.webhookPrivate,
        ...joinSettings(settings),
        listen: settings.listen,
        announce: settings.announce,
        mdns: settings.mdns,
        models,
        hub: await hubAccess(settings, context.env),
        importMaxBytes: settings.importMax,
        quantize: settings.quantize,
        store: settings.store,
        aliases: settings.alias,
        subclouds: settings.subcloud,
        ...(settings.content === undefined ? {} : { contentDir: settings.content }),
        stages: settings.stages ?? 'auto',
        ...(settings.contextLength === undefined ? {} : { contextLength: settings.contextLength }),
        ...(settings.sessions === undefined ? {} : { sessionsMax: settings.sessions }),
        ...(settings.prefillChunk === undefined ? {} : { prefillChunk: settings.prefillChunk }),
        reusePrompts: settings.reusePrompts,
        truncateInputs: settings.truncateInputs,
        tuning: parseTuning(settings.tuning) ?? true,
        ffmpeg: { setting: settings.ffmpeg, searchPath: context.env.PATH },
        ...(settings.publicUrl === undefined ? {} : { publicUrl: settings.publicUrl }),
        limits: limitsOf(settings),
        openFilesMax,
        logger,
        onProgress: (_reference, progress) => tellParent({ type: 'progress', ...toStep(progress) }),
        onModelFailed: failed => tellParent({ type: 'notice', text: describeFailure(failed) })
      },
      { signal }
    )
  )
  // what starting needed of a young generation is enough: under load it would grow to 128 MB, and its pauses with it
  setFlagsFromString('--semi-space-growth-factor=1')
  const multiaddrs = coordinator.multiaddrs()
  return {
    ready: {
      role: 'coordinator',
      peerId: coordinator.peerId,
      multiaddrs,
      http: coordinator.httpUrl,
      ...(coordinator.failedModels.length === 0 ? {} : { failedModels: coordinator.failedModels.map(toReadyFailure) })
    },
    summary: [
      `coordinator ${coordinator.peerId} is up`,
      `  API    ${coordinator.httpUrl}/v1`,
      ...coordinator.failedModels.map(failed => `  ${describeFailure(failed)}`),
      ...multiaddrs.map(address => `  nodes  resultity node --join ${address}`)
    ],
    shedLoad: () => coordinator.shedLoad(),
    close: () => coordinator.close()
  }
}

function describeFailure({ reference, error }: FailedModel): string {
  return `${reference} cannot be served: ${error.message}${error.hint ? ` (${error.hint})` : ''}`
}

function toReadyFailure({ reference, error: { code, message, hint } }: FailedModel): object {
  return { model: reference, error: { code, message, hint } }
}

/** Which nodes may join. */
function joinSettings({ openJoin, localJoin, allowNode }: CommandRun['settings']) {
  return { openJoin, localJoin, allowNodes: allowNode }
}

/** A longer `--node-silence` gives nodes more time to answer probes too: by default half a second of three. */
const PROBES_PER_SILENCE = 6

/** The coordinator's own limits that an operator may set. */
function limitsOf({
  nodeSilence,
  jobCrashesMax,
  httpConnections,
  httpConnectionsPerAddress,
  namespaceBytes,
  diskReserve,
  recordingHours,
  pictureMegapixels,
  pictureStateSeconds
}: CommandRun['settings']) {
  return {
    connectionsMax: httpConnections,
    connectionsPerAddressMax: httpConnectionsPerAddress,
    // a heartbeat comes every second
    ...(nodeSilence === undefined
      ? {}
      : { heartbeatMissesMax: nodeSilence, probeAnswerMs: (nodeSilence * 1000) / PROBES_PER_SILENCE }),
    ...(jobCrashesMax === undefined ? {} : { jobCrashesMax }),
    ...(namespaceBytes === undefined ? {} : { namespaceBytesMax: namespaceBytes }),
    ...(diskReserve === undefined ? {} : { diskReserveBytes: diskReserve }),
    ...(recordingHours === undefined ? {} : { recordingSecondsMax: recordingHours * 3600 }),
    ...(pictureMegapixels === undefined ? {} : { picturePixelsMax: pictureMegapixels * 1024 * 1024 }),
    ...(pictureStateSeconds === undefined ? {} : { pictureStateMs: pictureStateSeconds * 1000 })
  }
}

/**
 * Serves the requested models. Without a request, serves the default model, or the one that comes with the project
 * where no source of the default answers.
 */
async function withFallback<T>(
  wanted: readonly string[],
  logger: Logger,
  startWith: (models: readonly string[]) => Promise<T>
): Promise<T> {
  if (wanted.length > 0) return startWith(wanted)
  const { DEFAULT_MODEL, FALLBACK_MODEL } = await import('@resultity/model')
  try {
    return await startWith([DEFAULT_MODEL])
  } catch (error) {
    const { code, message } = MeshError.from(error)
    if (code !== 'model_unavailable') throw error
    const text = `${DEFAULT_MODEL} cannot be had here, so ${FALLBACK_MODEL} serves instead: ${message}`
    logger.warn(text)
    tellParent({ type: 'notice', text })
    return startWith([FALLBACK_MODEL])
  }
}

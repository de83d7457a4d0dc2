import type { JobAdmission } from '@resultity/access'
import { MessageEndpoint } from '@resultity/anthropic'
import { ConversationService, ConversationStore } from '@resultity/conversations'
import { chatDialect, completionDialect, EnsembleAliases, EnsembleEndpoint } from '@resultity/ensembles'
import { ChatPictureReader, type ChatPictureReaderComponents } from '@resultity/imaging'
import { type Clock, type ModelAliases, type Scheduler, Turns } from '@resultity/interface'
import {
  BATCHES_PATH,
  BatchEndpoint,
  ChildJobs,
  type DiskSpace,
  endChildrenWithParents,
  FileContentStore,
  FileService,
  JobKinds,
  JobRuntime,
  ModelPlaces
} from '@resultity/jobs'
import {
  EmbedEndpoint,
  type EmbedEndpointComponents,
  embedDialect,
  embeddingsDialect,
  generateDialect,
  chatDialect as ollamaChat,
  TextEndpoint,
  type TextEndpointComponents
} from '@resultity/ollama'
import {
  type AnswerEndpointComponents,
  ChatEndpoint,
  CompletionEndpoint,
  EmbeddingsEndpoint,
  type EmbeddingsEndpointComponents,
  type HttpEndpoint,
  InlineBatchEndpoint,
  type InputReading,
  removeFilesWithRequests
} from '@resultity/openai'
import { chatRelay, completionRelay, embeddingRelay, type RelayCallComponents, RelayEndpoint } from '@resultity/relayed'
import { ResponseEndpoint } from '@resultity/responses'
import { ModerationEndpoint, PairEndpoint, rerankDialects, scoreDialects } from '@resultity/scoring'
import { type SpeakingComponents, SpeechEndpoint } from '@resultity/speaking'
import {
  DatabaseBatchStore,
  DatabaseFileStore,
  GROUP_LANES,
  InviteStore,
  type JobStore,
  NamespaceBytes,
  openJobStore,
  SecretStore,
  type StoreDatabase,
  SubcloudStore
} from '@resultity/store'
import {
  RecordingsInMemory,
  speechRoutes,
  TranscriptionEndpoint,
  type TranscriptionEndpointComponents
} from '@resultity/transcription'
import type { Logger } from 'pino'
import { buildImages, forgetPicturesWithJobs, type ImageAnswerComponents, type ImageParts } from './image-parts.ts'
import type { CoordinatorLimits } from './settings.ts'

/** What is kept across the end of the process. */
export interface Stores {
  readonly store: JobStore
  readonly files: DatabaseFileStore
  readonly batches: DatabaseBatchStore
  readonly content: FileContentStore
  readonly conversations: ConversationStore
  readonly subclouds: SubcloudStore
  readonly invites: InviteStore
  readonly bytes: NamespaceBytes
  /** Signs links to pictures, on every coordinator of the database. */
  readonly linkSecret: Uint8Array
}

/** @throws MeshError `unavailable` */
export async function openStores(
  database: StoreDatabase,
  contentDir: string,
  { jobCrashesMax, namespaceBytesMax }: Pick<CoordinatorLimits, 'jobCrashesMax' | 'namespaceBytesMax'>
): Promise<Stores> {
  // a batch that takes a day is there when many a coordinator ends
  const limits = {
    interruptionsMax: jobCrashesMax,
    interruptionsMaxOf: { [BATCHES_PATH]: 10 * jobCrashesMax },
    waitingLanes: GROUP_LANES,
    namespaceBytesMax
  }
  return {
    store: await openJobStore(database, limits),
    files: new DatabaseFileStore(database),
    batches: new DatabaseBatchStore(database),
    content: await FileContentStore.open(contentDir),
    conversations: new ConversationStore(database),
    subclouds: new SubcloudStore(database),
    invites: new InviteStore(database),
    bytes: new NamespaceBytes(database, namespaceBytesMax),
    linkSecret: await new SecretStore(database).get('picture-links')
  }
}

export interface JobPartsComponents {
  /** What endpoints make answers with. */
  readonly answers: AnswerEndpointComponents &
    EmbeddingsEndpointComponents &
    Omit<TranscriptionEndpointComponents, 'fileService' | 'recordings' | 'reading'> &
    SpeakingComponents &
    ImageAnswerComponents &
    ChatPictureReaderComponents
  /** How nodes are asked to pass requests on. */
  readonly relays: RelayCallComponents
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly admission: JobAdmission
  /** Where jobs are stored, and where files are. */
  readonly disk: DiskSpace
  readonly contentDisk: DiskSpace
}

export interface JobPartsInit extends InputReading {
  readonly limits: CoordinatorLimits
  readonly aliases: ModelAliases
  /** Places of every model, where that is not a matter of slots on nodes. */
  readonly placesMax: number | undefined
  /** Where clients reach the API. Default: where each says that it does. */
  readonly publicUrl: string | undefined
}

/** What makes jobs of requests, and what runs them. */
export interface JobParts {
  readonly runtime: JobRuntime
  readonly fileService: FileService
  readonly aliases: EnsembleAliases
  /** All that jobs may ask, batches included. */
  readonly kinds: JobKinds
  /** Those that have a route of their own. */
  readonly httpEndpoints: readonly HttpEndpoint[]
  /** Those whose requests come with a recording. */
  readonly speechEndpoints: readonly HttpEndpoint[]
  readonly images: ImageParts
  readonly responses: ResponseEndpoint
  readonly conversations: ConversationService
  readonly messages: MessageEndpoint
  readonly batchEndpoint: BatchEndpoint
  /** Paths that lines of batches may ask. */
  readonly linePaths: readonly string[]
}

/** Everything that makes jobs of requests, and runs them. */
export function buildJobs(
  components: JobPartsComponents,
  stores: Stores,
  { limits, aliases: names, placesMax, publicUrl, ...reading }: JobPartsInit
): JobParts {
  const { answers, relays, clock, scheduler, logger, admission, disk, contentDisk } = components
  const { models, director, pools } = answers
  const { store, files, content, bytes, batches } = stores
  const aliases = new EnsembleAliases(names)
  const children = new ChildJobs({ store, admission, runtime: () => runtime })
  const fileService = new FileService(
    { files, content, batches, bytes, store, clock, logger, scheduler, disk: contentDisk },
    limits
  )
  const chat = new ChatEndpoint({ ...answers, chatPictures: new ChatPictureReader(answers) })
  const ensembles = { models, aliases, children, judging: () => chats, scheduler }
  const completion = new CompletionEndpoint(answers)
  const embeddings = new EmbeddingsEndpoint(answers, reading)
  const relayed = passedOn({ answers, relays, aliases }, limits, { chats: chat, completions: completion, embeddings })
  const chats = new EnsembleEndpoint(ensembles, relayed.chats, chatDialect)
  const conversations = new ConversationService(
    { conversations: stores.conversations, bytes, disk, clock },
    { conversationBytesMax: limits.bodyBytesMax }
  )
  const responses = new ResponseEndpoint({ models, chat, store, conversations, clock })
  const messages = new MessageEndpoint({ models, chat })
  const single = [
    chats,
    new EnsembleEndpoint(ensembles, relayed.completions, completionDialect),
    responses,
    messages,
    relayed.embeddings,
    new ModerationEndpoint(answers, reading),
    ...rerankDialects.map(dialect => new PairEndpoint(answers, dialect, reading)),
    ...scoreDialects.map(dialect => new PairEndpoint(answers, dialect, reading))
  ]
  const { audio } = answers
  const recordings = new RecordingsInMemory(audio.limits.secondsMax)
  const heardBy = { ...answers, fileService, recordings, reading: new Turns(audio.atOnce) }
  const speechEndpoints = speechRoutes.map(route => new TranscriptionEndpoint(heardBy, route))
  const kept = { linkSecret: stores.linkSecret, publicUrl, keeping: limits }
  const images = buildImages(answers, { fileService, clock, logger }, kept)
  const fromFiles = [...speechEndpoints, ...images.withPictures.map(one => one.endpoint)]
  // what a batch may ask: no further batches
  const lines = new JobKinds([...single, images.generation, ...fromFiles])
  const endpoint = lines.get.bind(lines)
  const batchEndpoint = new BatchEndpoint(
    { store, batches, fileService, clock, scheduler, admission, disk, runtime: () => runtime, endpoint },
    limits
  )
  const inlineBatch = new InlineBatchEndpoint({ children, endpoint }, limits)
  const ollama = ollamaEndpoints({ models, chat, completion, embeddings, scheduler })
  const speech = new SpeechEndpoint(answers)
  // what it answers is no JSON, which lines of batches are
  const httpEndpoints = [...single, images.generation, speech, inlineBatch, ...ollama]
  const kinds = new JobKinds([...httpEndpoints, ...fromFiles, batchEndpoint])
  const places = new ModelPlaces(
    { models, director, pools, offered: relays.offered },
    { groupsMax: limits.groupsMax, placesMax }
  )
  const runtime: JobRuntime = new JobRuntime({ store, kinds, places, clock, scheduler, logger, admission }, limits)
  endChildrenWithParents(runtime, store, err => logger.error({ err }, 'parts of a request were not ended'))
  const paths = new Set(fromFiles.map(({ path }) => path))
  removeFilesWithRequests(runtime, fileService, paths, err => logger.error({ err }, 'a file of a request stays'))
  forgetPicturesWithJobs(runtime, fileService, err => logger.error({ err }, 'what was kept of pictures stays'))
  const endpoints = { kinds, httpEndpoints, speechEndpoints, images, responses, conversations, messages, batchEndpoint }
  return { runtime, fileService, aliases, ...endpoints, linePaths: lines.paths() }
}

/** Endpoints that pass on what names a model of a server beside a node. */
function passedOn(
  { answers, relays, aliases }: Pick<JobPartsComponents, 'answers' | 'relays'> & { readonly aliases: EnsembleAliases },
  limits: CoordinatorLimits,
  own: Readonly<Record<'chats' | 'completions' | 'embeddings', HttpEndpoint>>
): Readonly<Record<'chats' | 'completions' | 'embeddings', HttpEndpoint>> {
  const { models, pools, metrics } = answers
  const components = { ...relays, models, pools, aliases, metrics }
  const calls = {
    startMs: limits.jobStartMs,
    graceMs: limits.jobGraceMs,
    runMs: limits.relayRunMs,
    nodesMax: limits.routeAttemptsMax
  }
  return {
    chats: new RelayEndpoint(components, calls, own.chats, chatRelay),
    completions: new RelayEndpoint(components, calls, own.completions, completionRelay),
    embeddings: new RelayEndpoint(components, calls, own.embeddings, embeddingRelay)
  }
}

function ollamaEndpoints(components: TextEndpointComponents & EmbedEndpointComponents): HttpEndpoint[] {
  return [
    new TextEndpoint(components, ollamaChat),
    new TextEndpoint(components, generateDialect),
    new EmbedEndpoint(components, embedDialect),
    new EmbedEndpoint(components, embeddingsDialect)
  ]
}

import type { JobAdmission } from '@resultity/access'
import { toJobError } from '@resultity/api-kit'
import type { Clock, ModelAliases } from '@resultity/interface'
import {
  BATCHES_PATH,
  BatchEndpoint,
  ChildJobs,
  type DiskSpace,
  endChildrenWithParents,
  FileShelf,
  JobEndpoints,
  JobRuntime,
  ModelPlaces
} from '@resultity/jobs'
import {
  ChatEndpoint,
  type ChatEndpointComponents,
  CompletionEndpoint,
  chatDialect,
  completionDialect,
  EmbeddingsEndpoint,
  type EmbeddingsEndpointComponents,
  EnsembleAliases,
  EnsembleEndpoint,
  InlineBatchEndpoint,
  ResponseEndpoint
} from '@resultity/openai'
import {
  DatabaseBatchStore,
  DatabaseFileStore,
  FileContentStore,
  GROUP_LANES,
  type JobStore,
  NamespaceBytes,
  openJobStore,
  type StoreDatabase,
  SubcloudStore
} from '@resultity/store'
import type { Logger } from 'pino'
import type { CoordinatorLimits } from './settings.ts'

/** What is kept across the end of the process. */
export interface Stores {
  readonly store: JobStore
  readonly files: DatabaseFileStore
  readonly batches: DatabaseBatchStore
  readonly content: FileContentStore
  readonly subclouds: SubcloudStore
  readonly bytes: NamespaceBytes
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
    subclouds: new SubcloudStore(database),
    bytes: new NamespaceBytes(database, namespaceBytesMax)
  }
}

export interface JobPartsComponents extends ChatEndpointComponents, EmbeddingsEndpointComponents {
  readonly clock: Clock
  readonly logger: Logger
  readonly admission: JobAdmission
  /** Where jobs are stored, and where files are. */
  readonly disk: DiskSpace
  readonly contentDisk: DiskSpace
}

export interface JobPartsInit {
  readonly limits: CoordinatorLimits
  readonly aliases: ModelAliases
  /** Places of every model, where that is not a matter of slots on nodes. */
  readonly placesMax: number | undefined
}

/** Everything that makes jobs of requests, and runs them. */
export function buildJobs(
  components: JobPartsComponents,
  stores: Stores,
  { limits, aliases: names, placesMax }: JobPartsInit
) {
  const { models, clock, logger, admission } = components
  const { store, batches } = stores
  const aliases = new EnsembleAliases(names)
  const children = new ChildJobs({ store, admission, runtime: () => runtime })
  const shelf = new FileShelf({ ...stores, clock, logger, disk: components.contentDisk }, limits)
  const chat = new ChatEndpoint(components)
  const ensembles = { models, aliases, children, judging: chat }
  const responses = new ResponseEndpoint({ models, chat, store, clock })
  const single = [
    new EnsembleEndpoint(ensembles, chat, chatDialect),
    new EnsembleEndpoint(ensembles, new CompletionEndpoint(components), completionDialect),
    responses,
    new EmbeddingsEndpoint(components)
  ]
  // what a batch may ask: no further batches
  const lines = new JobEndpoints(single)
  const endpoint = lines.get.bind(lines)
  const batchEndpoint = new BatchEndpoint(
    { store, batches, shelf, clock, admission, disk: components.disk, runtime: () => runtime, endpoint },
    limits
  )
  const httpEndpoints = [...single, new InlineBatchEndpoint({ children, endpoint }, limits)]
  const endpoints = new JobEndpoints([...httpEndpoints, batchEndpoint])
  const places = new ModelPlaces(components, { groupsMax: limits.groupsMax, placesMax })
  const runtime: JobRuntime = new JobRuntime({ store, endpoints, places, clock, logger, admission, toJobError }, limits)
  endChildrenWithParents(runtime, store, err => logger.error({ err }, 'parts of a request were not ended'))
  const batching = { shelf, batches, batchEndpoint, linePaths: lines.paths() }
  return { ...batching, aliases, store, runtime, endpoints, httpEndpoints, responses }
}

import { type Clock, MeshError, type Scheduler, steadyClockOf, systemScheduler } from '@resultity/interface'
import {
  DatabaseKeyStore,
  DeliveryQueue,
  GROUP_LANES,
  type Job,
  OpenJobs,
  type StoreDatabase,
  UsageLedger,
  WebhookStore,
  windowCounters
} from '@resultity/store'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { type AccessLimits, DEFAULT_ACCESS_LIMITS } from './access-limits.ts'
import { JobAdmission } from './job-admission.ts'
import type { Caller } from './keys/caller.ts'
import { FailedAttempts } from './keys/failed-attempts.ts'
import { addKeyRoutes } from './keys/key-routes.ts'
import { KeyService } from './keys/key-service.ts'
import { KeyVerifier } from './keys/key-verifier.ts'
import { type AdmissionRequest, KeyLimiter, type Submitted } from './limits/key-limiter.ts'
import { isLoopback } from './loopback.ts'
import { guard, guardHosts, RequestGuard } from './request-guard.ts'
import { HostNames } from './request-host.ts'
import { Origins } from './request-origin.ts'
import { Upkeep } from './upkeep.ts'
import { addUsageRoutes } from './usage/usage-routes.ts'
import { systemResolve } from './webhooks/post.ts'
import { WebhookDeliveryWorker } from './webhooks/webhook-delivery-worker.ts'
import { addWebhookRoutes } from './webhooks/webhook-routes.ts'
import { WebhookService } from './webhooks/webhook-service.ts'

export interface AccessControlComponents {
  readonly database: StoreDatabase
  readonly clock: Clock
  /** Does not jump when the other one is set. Default the system's. */
  readonly steady?: Clock
  readonly logger: Logger
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface AccessControlInit {
  /** The address that the HTTP API listens on. */
  readonly host: string
  /** Further names that the API answers to without a key; `*` for any. Default none. */
  readonly allowedHosts?: readonly string[]
  /** Origins whose pages may use the API, in addition to its own; `*` for any. Default none. */
  readonly corsOrigins?: readonly string[]
  /** The operator's word that it may be used without keys. Default false. */
  readonly open?: boolean
  /** Webhooks may go to private addresses, and over plain HTTP. Default false. */
  readonly webhookPrivate?: boolean
  /** Version of this software. */
  readonly version: string
  readonly limits?: Partial<AccessLimits>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sent the request; without any scope on routes that need no key. */
    caller: Caller
    /**
     * Makes a job of the request with `submit`, within the limits of its key. The largest usage it may have is reserved
     * until the job ends. The headers of the answer say how much is left.
     *
     * @throws MeshError `rate_limited`, and the errors of `submit`
     */
    admit<T extends Submitted>(what: AdmissionRequest, submit: () => Promise<T>): Promise<T>
  }
}

/** Who may use the API and how much, and who gets events of it: keys, limits, usage, webhooks. */
export interface AccessControl extends AsyncDisposable {
  /** Refuses every request that calls `server` by a foreign host name. Call it before all other hooks. */
  guardHosts(server: FastifyInstance): void
  /** Which pages may use the API. */
  readonly origins: Origins
  /** Has every request of `server` checked. Before routes are added. */
  guard(server: FastifyInstance): void
  /** Routes of keys, usage and webhooks. */
  addRoutes(server: FastifyInstance): void
  /** Applies the limits and rights of keys to jobs, whatever makes the jobs. */
  readonly jobs: JobAdmission
  /** Settles the reservation of a job that has ended here. */
  jobEnded(job: Pick<Job, 'id' | 'usage' | 'state' | 'startedAtMs'>): void
}

/**
 * @throws MeshError `settings_invalid` when others than this machine could use the API and nothing would ask them for a
 * key
 */
export async function openAccessControl(
  components: AccessControlComponents,
  init: AccessControlInit
): Promise<AccessControl> {
  const { database, clock, logger, scheduler = systemScheduler } = components
  const { steady = steadyClockOf(scheduler) } = components
  const limits = { ...DEFAULT_ACCESS_LIMITS, ...init.limits }
  const { host, open = false } = init
  const store = new DatabaseKeyStore(database)
  const loopback = isLoopback(host)
  if (!loopback && !open && (await store.count()) === 0) throw unguarded(host)
  const keys = new KeyVerifier({ store, clock, steady, logger }, limits)
  const service = new KeyService({ store, clock, onChange: id => keys.forget(id) })
  const origins = new Origins(init.corsOrigins ?? [])
  const hosts = new HostNames([host, ...(init.allowedHosts ?? [])])
  const failures = new FailedAttempts(steady, limits)
  const requestGuard = new RequestGuard(keys, { loopback, open, hosts, origins, failures })
  const counters = windowCounters(database, steady)
  const limiter = new KeyLimiter({ counters, openJobs: new OpenJobs(database, GROUP_LANES), clock: steady })
  const jobs = new JobAdmission({ keys, limiter, scheduler })
  const ledger = new UsageLedger(database, GROUP_LANES)
  const webhooks = openWebhooks({ database, clock, logger, scheduler }, init, limits)
  const chores = [
    { name: 'removing old counters', run: () => counters.prune() },
    { name: 'removing old usage', run: () => ledger.prune(clock.now() - limits.usageKeepMs) },
    { name: 'removing old deliveries', run: () => webhooks.queue.prune(clock.now() - limits.deliveryKeepMs) }
  ]
  const upkeep = new Upkeep(chores, logger, limits.upkeepMs, scheduler)
  return {
    origins,
    guardHosts: server => guardHosts(server, requestGuard),
    guard: server => guard(server, requestGuard, limiter),
    addRoutes: server => {
      addKeyRoutes(server, service)
      addUsageRoutes(server, { ledger, clock })
      addWebhookRoutes(server, webhooks.service, () => webhooks.deliveryWorker.look())
    },
    jobs,
    jobEnded: job => {
      jobs.jobEnded(job).catch(error => logger.warn({ err: error, jobId: job.id }, 'a reservation was not settled'))
    },
    [Symbol.asyncDispose]: async () => {
      await webhooks.deliveryWorker[Symbol.asyncDispose]()
      await upkeep[Symbol.asyncDispose]()
      await keys[Symbol.asyncDispose]()
    }
  }
}

function openWebhooks(
  { database, clock, logger, scheduler = systemScheduler }: AccessControlComponents,
  init: AccessControlInit,
  limits: AccessLimits
) {
  const { webhookPrivate = false, version } = init
  const webhooks = new WebhookStore(database)
  const queue = new DeliveryQueue(database)
  const policy = { private: webhookPrivate }
  const { webhookTimeoutMs: timeoutMs, webhookAnswerBytesMax: answerBytesMax } = limits
  const deliveryWorker = new WebhookDeliveryWorker(
    { webhooks, queue, clock, logger, scheduler },
    { ...limits, ...policy, timeoutMs, answerBytesMax, version, resolve: systemResolve }
  )
  return { queue, deliveryWorker, service: new WebhookService({ webhooks, queue, clock }, policy) }
}

function unguarded(host: string): MeshError {
  return new MeshError('settings_invalid', `other machines can reach ${host}, and there is no API key`, {
    hint:
      'Make one with "resultity keys create --admin" (and --data, if you use it here), then start again. ' +
      'Or let everybody in with --open.',
    details: { param: 'http' }
  })
}

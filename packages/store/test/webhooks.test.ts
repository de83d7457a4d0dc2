import type { Test } from 'tap'
import {
  DatabaseBatchStore,
  DeliveryQueue,
  type Job,
  type JobStore,
  type JobSubmission,
  type NewWebhook,
  openJobStore,
  type StoreDatabase,
  WebhookStore
} from '../src/index.ts'
import { onBothDatabases } from './support/both-databases.ts'
import { submission } from './support/submissions.ts'

const LEASE_MS = 30_000
const BATCH = {
  namespace: 'default',
  keyId: null,
  endpoint: '/v1/embeddings',
  inputFileId: 'file-1',
  completionWindow: '24h',
  metadata: null,
  outputExpiresSeconds: null,
  subcloud: null,
  createdAtMs: 5000,
  expiresAtMs: 6000
}
const ALL = { count: 100, perWebhook: 100, except: [] }

function newWebhook(id: string, overrides: Partial<NewWebhook> = {}): NewWebhook {
  return {
    id,
    namespace: 'default',
    url: 'https://example.com/hook',
    events: ['job.succeeded', 'job.cancelled'],
    description: '',
    secret: 'whsec_c2VjcmV0',
    createdAtMs: 1000,
    ...overrides
  }
}

async function openAll(t: Test, database: StoreDatabase) {
  const jobs = await openJobStore(database)
  t.teardown(() => jobs[Symbol.asyncDispose]())
  return { jobs, webhooks: new WebhookStore(database), queue: new DeliveryQueue(database) }
}

async function endJob(jobs: JobStore, over: Partial<JobSubmission> = {}): Promise<Job> {
  const { claim } = await jobs.submit(submission(over), { owner: 'one', leaseMs: 60_000 })
  if (claim === undefined) throw new Error('it was not begun')
  const result = { status: 200, headers: {}, body: null }
  return await jobs.finish(claim, { state: 'succeeded', result, usage: null })
}

/** Ends so many jobs, and gives a time at which all their deliveries are due. */
async function endJobs(jobs: JobStore, count: number, over: Partial<JobSubmission> = {}): Promise<number> {
  const ended: Job[] = []
  for (let i = 0; i < count; i++) ended.push(await endJob(jobs, over))
  return Math.max(...ended.map(({ endedAtMs }) => endedAtMs ?? 0))
}

onBothDatabases('how many wait for a webhook is known without counting them all', async (t, { open }) => {
  const { jobs, webhooks, queue } = await openAll(t, await open())
  await webhooks.add(newWebhook('wh_1'))
  await webhooks.add(newWebhook('wh_2', { events: ['job.failed'] }))
  await endJobs(jobs, 3)
  t.equal(await queue.hasMoreThan(2, 'wh_1'), true)
  t.equal(await queue.hasMoreThan(3, 'wh_1'), false)
  t.equal(await queue.hasMoreThan(0, 'wh_2'), false)
  await webhooks.disable('wh_1', 'it fell behind', 7000)
  t.equal(await queue.hasMoreThan(0, 'wh_1'), false, 'what was given up does not wait')
})

onBothDatabases('the end of a job is queued with it, for every webhook that wants it', async (t, { open }) => {
  const { jobs, webhooks, queue } = await openAll(t, await open())
  await endJob(jobs)
  await webhooks.add(newWebhook('wh_1'))
  await webhooks.add(newWebhook('wh_2', { events: ['job.succeeded'] }))
  await webhooks.add(newWebhook('wh_3', { events: ['job.failed', 'batch.completed'] }))
  await webhooks.add(newWebhook('wh_4', { namespace: 'other' }))
  const job = await endJob(jobs)
  await endJob(jobs, { hidden: true, groupId: 'g' })
  const { job: cancelled } = await jobs.submit(submission())
  await jobs.cancel(cancelled.id)
  const deliveries = await queue.claim(Date.now() + 1000, LEASE_MS, ALL)
  const told = deliveries.map(({ webhookId, type, subjectId }) => `${webhookId} ${type} ${subjectId}`)
  t.strictSame(
    told.toSorted(),
    [`wh_1 job.cancelled ${cancelled.id}`, `wh_1 job.succeeded ${job.id}`, `wh_2 job.succeeded ${job.id}`].toSorted()
  )
  const [one] = deliveries.filter(({ subjectId, webhookId }) => subjectId === job.id && webhookId === 'wh_1')
  t.match(one, { id: /^evt_[0-9a-f]{32}$/, attempts: 1, state: 'pending', log: [] })
  const ended = (await jobs.get(job.id))?.endedAtMs ?? 0
  t.strictSame(one?.data, {
    id: job.id,
    object: 'request',
    state: 'succeeded',
    endpoint: '/v1/chat/completions',
    created_at: Math.floor(job.createdAtMs / 1000),
    ended_at: Math.floor(ended / 1000)
  })
  t.equal(new Set(deliveries.map(({ id }) => id)).size, 3)
})

onBothDatabases('the end of a batch is queued with it', async (t, { open }) => {
  const database = await open()
  const { webhooks, queue } = await openAll(t, database)
  const batches = new DatabaseBatchStore(database)
  await webhooks.add(newWebhook('wh_1', { events: ['batch.completed', 'batch.cancelled'] }))
  await webhooks.add(newWebhook('wh_2'))
  for (const id of ['batch_1', 'batch_2']) {
    await batches.add({ ...BATCH, id, jobId: `req_${id}` })
    await batches.change(id, ['validating'], { status: 'finalizing' }, 7000)
  }
  t.strictSame(await queue.claim(10_000, LEASE_MS, ALL), [])
  await batches.change('batch_1', ['finalizing'], { status: 'completed' }, 8500)
  await batches.change('batch_1', ['completed'], { linesFailed: 3 }, 9000)
  await batches.change('batch_2', ['finalizing'], { status: 'failed' }, 8500)
  const told = await queue.claim(8500, LEASE_MS, ALL)
  t.match(told, [{ webhookId: 'wh_1', type: 'batch.completed', subjectId: 'batch_1', createdAtMs: 8500 }])
  t.strictSame(told[0]?.data, {
    id: 'batch_1',
    object: 'batch',
    status: 'completed',
    endpoint: '/v1/embeddings',
    created_at: 5,
    ended_at: 8
  })
})

onBothDatabases('a delivery is taken by one coordinator, and again when that one ends', async (t, { open }) => {
  const first = await open()
  const { jobs, webhooks, queue } = await openAll(t, first)
  const other = first.dialect === 'sqlite' ? queue : new DeliveryQueue(await open())
  await webhooks.add(newWebhook('wh_1'))
  const begin = Date.now()
  const due = await endJobs(jobs, 20)
  t.strictSame(await queue.claim(begin - 1, LEASE_MS, ALL), [], 'not before it is due')
  const taken = (await Promise.all([queue, other].map(one => one.claim(due, LEASE_MS, ALL)))).flat()
  t.equal(taken.length, 20)
  t.equal(new Set(taken.map(({ id }) => id)).size, 20)
  t.strictSame(await other.claim(due + LEASE_MS - 1, LEASE_MS, ALL), [])
  const again = await other.claim(due + LEASE_MS, LEASE_MS, ALL)
  t.equal(again.length, 20)
  const [late] = taken
  const [current] = again.filter(({ id }) => id === late?.id)
  if (late === undefined || current === undefined) throw new Error('nothing was taken')
  const attempt = { atMs: 1, durationMs: 1, status: 500, error: 'the receiver answered 500' }
  await queue.report(late, attempt, { state: 'failed' })
  t.match(await queue.find(late.id), { state: 'pending', log: [] }, 'who lost it says nothing about it')
  await other.report(current, { ...attempt, status: 200, error: null }, { state: 'delivered' })
  t.match(await queue.find(late.id), { state: 'delivered', attempts: 2, log: [{ status: 200 }], endedAtMs: 2 })
})

onBothDatabases('no webhook takes all the room', async (t, { open }) => {
  const { jobs, webhooks, queue } = await openAll(t, await open())
  for (const id of ['wh_1', 'wh_2', 'wh_3']) await webhooks.add(newWebhook(id, { namespace: id }))
  await endJobs(jobs, 10, { namespace: 'wh_1' })
  await endJobs(jobs, 1, { namespace: 'wh_2' })
  const due = await endJobs(jobs, 1, { namespace: 'wh_3' })
  const claimed = await queue.claim(due, LEASE_MS, { count: 100, perWebhook: 2, except: ['wh_3'] })
  t.strictSame(claimed.map(({ webhookId }) => webhookId).toSorted(), ['wh_1', 'wh_1', 'wh_2'])
  t.equal((await queue.claim(due, LEASE_MS, { count: 1, perWebhook: 2, except: [] })).length, 1)
})

onBothDatabases('a delivery is tried again when it is due, and its log is kept short', async (t, { open }) => {
  const { jobs, webhooks, queue } = await openAll(t, await open())
  await webhooks.add(newWebhook('wh_1'))
  let now = await endJobs(jobs, 1)
  for (let attempts = 1; attempts <= 25; attempts++) {
    const [delivery] = await queue.claim(now, LEASE_MS, ALL)
    if (delivery === undefined) throw new Error('nothing was taken')
    t.equal(delivery.attempts, attempts)
    now += 500
    await queue.report(
      delivery,
      { atMs: attempts, durationMs: 1, status: null, error: 'x' },
      { state: 'pending', dueAtMs: now }
    )
    t.strictSame(await queue.claim(now - 1, LEASE_MS, ALL), [])
  }
  const { deliveries } = await queue.list({ webhookId: 'wh_1', limit: 10 })
  t.equal(deliveries[0]?.log.length, 20)
  t.match(deliveries[0]?.log.at(-1), { atMs: 25 })
  const requeued = await queue.requeue(deliveries[0]?.id ?? '', 9999)
  t.match(requeued, { state: 'pending', attempts: 0, dueAtMs: 9999 })
  t.equal(await queue.requeue('nobody', 1), undefined)
})

onBothDatabases(
  'a webhook that fails is given up with what it was to be told, and can be taken up',
  async (t, { open }) => {
    const { jobs, webhooks, queue } = await openAll(t, await open())
    await webhooks.add(newWebhook('wh_1'))
    t.equal(await webhooks.failed('wh_1', 5000), 5000)
    t.equal(await webhooks.failed('wh_1', 6000), 5000)
    await webhooks.succeeded('wh_1')
    t.equal(await webhooks.failed('wh_1', 7000), 7000)
    await endJob(jobs)
    await webhooks.disable('wh_1', 'nothing arrived', 8000)
    await webhooks.disable('wh_1', 'another reason', 9000)
    t.match(await webhooks.find('wh_1'), { disabledAtMs: 8000, disabledReason: 'nothing arrived' })
    t.match((await queue.list({ webhookId: 'wh_1', limit: 10 })).deliveries, [{ state: 'failed', endedAtMs: 8000 }])
    await endJob(jobs)
    t.equal((await queue.list({ webhookId: 'wh_1', limit: 10 })).deliveries.length, 1, 'it is told nothing more')
    t.match(await webhooks.enable('wh_1'), { disabledAtMs: null, failingSinceMs: null })
    await endJob(jobs)
    t.equal((await queue.list({ webhookId: 'wh_1', limit: 10 })).deliveries.length, 2)
    await t.rejects(webhooks.enable('nobody'), { code: 'not_found' })
  }
)

onBothDatabases('webhooks are listed and removed, with their deliveries, in their namespace', async (t, { open }) => {
  const { jobs, webhooks, queue } = await openAll(t, await open())
  await webhooks.add(newWebhook('wh_2', { createdAtMs: 2 }))
  await webhooks.add(newWebhook('wh_1', { createdAtMs: 1 }))
  await webhooks.add(newWebhook('wh_3', { namespace: 'other' }))
  t.match(await webhooks.list('default'), [{ id: 'wh_1' }, { id: 'wh_2' }])
  const seen: string[] = []
  await endJobs(jobs, 5, { namespace: 'other' })
  for (let after: string | undefined, more = true; more; after = seen.at(-1)) {
    const page = await queue.list({ webhookId: 'wh_3', limit: 2, ...(after === undefined ? {} : { after }) })
    seen.push(...page.deliveries.map(({ id }) => id))
    more = page.hasMore
  }
  t.equal(new Set(seen).size, 5)
  await t.rejects(queue.list({ webhookId: 'wh_1', after: seen[0] ?? '', limit: 1 }), { code: 'not_found' })
  t.equal(await webhooks.remove('wh_3'), true)
  t.equal(await webhooks.remove('wh_3'), false)
  t.equal(await queue.find(seen[0] ?? ''), undefined)
  const due = await endJobs(jobs, 1)
  for (const delivery of await queue.claim(due, LEASE_MS, ALL)) {
    await queue.report(delivery, { atMs: 5, durationMs: 0, status: 200, error: null }, { state: 'delivered' })
  }
  t.equal(await queue.prune(5), 0)
  t.equal(await queue.prune(6), 2)
})

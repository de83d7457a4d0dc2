import { KeyService, KeyVerifier, newKeySchema } from '@resultity/access'
import { type Clock, steadyClock } from '@resultity/interface'
import { DatabaseKeyStore, openDatabase } from '@resultity/store'
import { ManualClock } from '@resultity/test-nodes'
import { pino } from 'pino'
import t from 'tap'
import { heldGenerator } from './support/held-generator.ts'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const HOUR_MS = 3_600_000

t.test(
  'a key that was revoked stays so when the clock is set back, and what is cached is not believed longer',
  async t => {
    const database = await openDatabase({ dataDir: t.testdir({}) })
    t.teardown(() => database[Symbol.asyncDispose]())
    const store = new DatabaseKeyStore(database)
    const clock = new ManualClock()
    clock.ms = Date.now()
    const steady = new ManualClock()
    const limits = { keyCacheMs: 2000, keysCachedMax: 100, keyUseMs: 60_000, keyLookupsMax: 4 }
    const ring = new KeyVerifier({ store, clock, steady, logger: pino({ level: 'silent' }) }, limits)
    t.teardown(() => ring[Symbol.asyncDispose]())
    // as another coordinator on the same database: this one is not told
    const service = new KeyService({ store, clock })
    const first = await service.create(newKeySchema.parse({ scopes: ['admin'] }))
    const second = await service.create(newKeySchema.parse({}))
    for (const jump of [-6 * HOUR_MS, 6 * HOUR_MS]) {
      const { id, key } = jump < 0 ? first : second
      await ring.verify(key)
      await service.revoke(id)
      clock.pass(jump)
      steady.pass(2001)
      await t.rejects(ring.verify(key), { code: 'unauthenticated', message: /revoked/ }, `${jump / HOUR_MS} h`)
      await t.rejects(ring.holder(id), { code: 'unauthenticated' })
      clock.pass(-jump)
    }
  }
)

t.test('a job that runs while the clock is set keeps its lease, and is done once', async t => {
  const generator = heldGenerator()
  const clock: Clock & { aheadMs: number } = { aheadMs: 0, now: () => Date.now() + clock.aheadMs }
  const limits = { jobLeaseMs: 600, jobSweepMs: 50 }
  const mesh = await startScriptedMesh(1, { generator, clock, limits, contextLength: 256 })
  t.teardown(() => mesh[Symbol.asyncDispose]())
  const { httpUrl: url } = mesh.coordinator
  for (const jump of [-6 * HOUR_MS, 6 * HOUR_MS]) {
    generator.hold()
    const headers = { prefer: 'respond-async' }
    const body = JSON.stringify({ ...QUESTION, max_tokens: 1 })
    const { id } = (await (await fetch(`${url}${CHAT}`, { method: 'POST', headers, body })).json()) as { id: string }
    const show = async () =>
      (await (await fetch(`${url}/v1/requests/${id}`)).json()) as { status: string; attempts: number }
    while (generator.now === 0) await show()
    clock.aheadMs = jump
    // three leases long: nobody but the renewals keeps it
    const seen = new Set<string>()
    for (const begun = steadyClock.now(); steadyClock.now() - begun < 3 * limits.jobLeaseMs; ) {
      const { status, attempts } = await show()
      seen.add(`${status} ${attempts}`)
    }
    t.strictSame([...seen], ['running 1'])
    generator.let()
    let request = await show()
    while (request.status === 'running') request = await show()
    t.match(request, { status: 'succeeded', attempts: 1 }, `${jump / HOUR_MS} h`)
    clock.aheadMs = 0
  }
})

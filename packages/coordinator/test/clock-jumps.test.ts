import { type Clock, steadyClock } from '@resultity/interface'
import t from 'tap'
import { heldGenerator } from './support/held-generator.ts'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const HOUR_MS = 3_600_000

t.test('a job that runs while the clock is set keeps its lease, and is done once', async t => {
  const generator = heldGenerator()
  const clock: Clock & { aheadMs: number } = { aheadMs: 0, now: () => Date.now() + clock.aheadMs }
  // longer than a busy machine keeps a renewal waiting
  const limits = { jobLeaseMs: 3000, jobSweepMs: 50 }
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
    // longer than a lease: nobody but the renewals keeps it
    const seen = new Set<string>()
    for (const begun = steadyClock.now(); steadyClock.now() - begun < 1.3 * limits.jobLeaseMs; ) {
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

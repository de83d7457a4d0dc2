import { MeshError } from '@resultity/interface'
import type t from 'tap'
import type { Engine, StageSession } from '../src/port.ts'
import { cuts, type Fixture, Pipeline } from './tiny-chat.ts'

type Test = typeof t

interface Case {
  readonly engine: Engine
  readonly fixture: Fixture
}

/** Sessions of several lengths, as they are before their steps. */
function companions(fixture: Fixture) {
  const tokens = fixture.golden.flatMap(({ prompt_ids }) => prompt_ids)
  return [1, 40, 7, 23, 90, 5].map((length, index) => ({
    prompt: tokens.slice(index, index + length),
    steps: tokens.slice(100 + index * 6, 106 + index * 6)
  }))
}

/** Sessions that decode at once have the logits that each has alone, wherever the model is cut. */
export async function inCompany(t: Test, { engine, fixture }: Case): Promise<void> {
  const all = companions(fixture)
  const alone: Float32Array[][] = []
  for (const ends of cuts) {
    await using pipeline = await Pipeline.load(engine, ends, fixture.init, { sessionsMax: all.length })
    if (alone.length === 0) {
      for (const { prompt, steps } of all) {
        using session = pipeline.open()
        await session.run(prompt)
        const rows: Float32Array[] = []
        for (const token of steps) rows.push(await session.run([token]))
        alone.push(rows)
      }
    }
    using open = new DisposableStack()
    const sessions = all.map(() => open.use(pipeline.open()))
    for (const [index, { prompt }] of all.entries()) await sessions[index]?.run(prompt)
    const found = await Promise.all(
      sessions.map(async (session, index) => {
        const rows: Float32Array[] = []
        for (const [step, token] of (all[index]?.steps ?? []).entries()) {
          // one of them takes its last step back, again and again
          if (index === 2 && step > 0) {
            await session.run([17])
            for (const part of session.sessions) part.truncate(part.position - 1)
          }
          rows.push(await session.run([token]))
        }
        return rows
      })
    )
    t.same(found, alone, `cut at ${ends}`)
  }
}

/** Of sessions that decode at once, one is closed and one aborted: the others notice nothing. */
export async function leaving(t: Test, { engine, fixture }: Case): Promise<void> {
  await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }, { sessionsMax: 6 }))
  const all = companions(fixture)
  const open = (): StageSession[] => all.map(() => stage.open({ positionsMax: 512 }))
  const fill = async (sessions: readonly StageSession[]): Promise<void> => {
    for (const [index, { prompt }] of all.entries()) await sessions[index]?.run(Uint32Array.from(prompt))
  }
  const step = (session: StageSession | undefined, index: number, signal?: AbortSignal): Promise<Float32Array> => {
    if (session === undefined) throw new Error('there is such a session')
    const token = Uint32Array.of(all[index]?.steps[0] ?? 0)
    return session.run(token, signal === undefined ? {} : { signal }).then(logits => logits.slice())
  }
  const first = open()
  await fill(first)
  const wanted: Float32Array[] = []
  for (const [index, session] of first.entries()) wanted.push(await step(session, index))
  for (const session of first) session[Symbol.dispose]()

  const second = open()
  await fill(second)
  const controller = new AbortController()
  const reason = new MeshError('canceled', 'the client hung up')
  // the first is at work by itself; of the others, that wait for it, one is closed and one called off
  const results = second.map((session, index) => step(session, index, index === 3 ? controller.signal : undefined))
  const settled = Promise.allSettled(results)
  second[2]?.[Symbol.dispose]()
  controller.abort(reason)
  const late = stage.open({ positionsMax: 512 })
  await late.run(Uint32Array.from(all[2]?.prompt ?? []))
  const found = await settled
  t.match(found[2], { status: 'rejected', reason: { code: 'unavailable' } })
  t.match(found[3], { status: 'rejected', reason })
  for (const index of [0, 1, 4, 5])
    t.match(found[index], { status: 'fulfilled', value: wanted[index] }, `session ${index}`)
  t.same(await step(late, 2), wanted[2], 'who comes in their place computes the same')
  for (const session of [...second, late]) session[Symbol.dispose]()
  t.equal(stage.sessionsOpen, 0)
}

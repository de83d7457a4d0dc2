import { checkFetches } from '@resultity/test-api'
import { type Swarm, type SwarmInit, startSwarm } from './swarm.ts'

/** What is needed of a tap test. */
export interface TestLike {
  teardown(work: () => Promise<void>): void
  passing(): boolean
  comment(text: string): void
}

/**
 * A swarm for one test: stopped after it, its logs shown when the test fails. The test fails too when an answer that it
 * fetched breaks OpenAI's description of the API or the swarm's own.
 */
export async function swarmFor(t: TestLike, init: SwarmInit = {}): Promise<Swarm> {
  const swarm = await startSwarm(init)
  const check = checkFetches(swarm.url)
  t.teardown(async () => {
    if (!t.passing()) t.comment(swarm.logs())
    await swarm.stop()
    await check[Symbol.asyncDispose]()
  })
  return swarm
}

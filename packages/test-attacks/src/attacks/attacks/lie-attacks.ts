import type { OpenSession } from '@resultity/wire'
import { Attacker } from '../peers/attacker.ts'
import { CLOSED, SILENCE, STAGE } from '../peers/conversation.ts'
import { type Lie, LyingStage } from '../peers/lying-stage.ts'
import { Member, updateOf } from '../peers/member.ts'
import { sealed } from '../peers/own-advert.ts'
import { type Attack, type AttackContext, type AttackGround, reachable, runningAttack, tried } from './attack.ts'
import { openSession } from './coordinator-attacks.ts'

const ANSWER_MS = 60_000
const OFFERED_BYTES = 256 * 2 ** 20

export const lyingTokens: Attack = {
  name: 'a stage tells tokens that the model does not have',
  refusals: ['protocol_violation', 'node_lost', CLOSED],
  must: ['protocol_violation'],
  pauseMs: 3_000,
  begin: context => lies(context, 'token', 1)
}

export const lyingStates: Attack = {
  name: 'a stage hands on hidden states and tokens that are none, and a stranger speaks on its session',
  refusals: ['node_lost', 'session_forbidden', 'protocol_violation', CLOSED],
  must: ['node_lost', 'session_forbidden', 'protocol_violation'],
  pauseMs: 3_000,
  begin: context => lies(context, 'hidden', 2)
}

/** Each time another member lies: one that was caught gets no layers for a while. */
async function lies({ ground, random, nextIp }: AttackContext, lie: Lie, stages: number) {
  const ip = nextIp()
  const stranger = await Attacker.start({ ip: nextIp(), random })
  return runningAttack([stranger], async () => {
    const seen: string[] = []
    await using liar = await Attacker.start({ ip, random, listen: ['/ip4/127.0.0.1/tcp/0'] })
    const others = reachable(ground).slice(0, stages - 1)
    const onSession = async (open: OpenSession): Promise<void> => {
      for (const node of others) seen.push(...(await onSessionOf(stranger, node, open, ground)))
    }
    await new LyingStage(liar.host, lie, onSession).listen()
    const offered = { memoryOfferedBytes: OFFERED_BYTES, memoryFreeBytes: OFFERED_BYTES }
    const answer = await tried(async () => {
      await using _member = await Member.join(liar, ground.coordinator, {
        invite: ground.invite,
        advert: await sealed(liar, offered),
        onAssign: ({ placementId }, member) => member.say(updateOf(placementId))
      })
      return await answerOver(ground, [liar.peerId, ...others.map(({ peerId }) => peerId)], stages)
    })
    seen.push(answer)
    return seen
  })
}

/** A stranger knows the session's name, from one of its stages, and speaks in it. */
async function onSessionOf(
  stranger: Attacker,
  node: AttackGround['nodes'][number],
  open: OpenSession,
  ground: AttackGround
) {
  const { session, epoch } = open
  const hidden = new Uint8Array(512)
  return [
    await stranger.tell(node, STAGE, { frames: [{ type: 'join', session, epoch }] }),
    await stranger.tell(node, STAGE, { frames: [openSession(session, ground, undefined)] }),
    await stranger.tell(node, STAGE, {
      frames: [{ type: 'activations', session, epoch, position: 0, count: 1, hidden }]
    })
  ]
}

/** What a client is answered that asks these nodes. */
async function answerOver({ apiUrl }: AttackGround, nodes: readonly string[], stages: number): Promise<string> {
  const messages = [{ role: 'user', content: 'What is the capital of France?' }]
  const body = { model: 'tiny-chat', messages, max_tokens: 8, mesh: { nodes, stages } }
  try {
    const response = await fetch(`${apiUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS)
    })
    const { error }: { error?: { code: string; message: string } } = await response.json()
    if (error === undefined) return 'it was believed'
    const [liar = '', ...others] = nodes
    return others.some(node => error.message.includes(node)) && !error.message.includes(liar)
      ? `${error.code}, and an honest node is named: ${error.message}`
      : error.code
  } catch {
    // the time is up
    return SILENCE
  }
}

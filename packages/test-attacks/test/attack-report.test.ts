import { MeshError } from '@resultity/interface'
import { openAdvert } from '@resultity/mesh'
import { SeededRandom } from '@resultity/test-mesh'
import { test } from 'tap'
import { Attacker } from '../src/attacks/peers/attacker.ts'
import { advertOf, sealedAnyway } from '../src/attacks/peers/own-advert.ts'
import { missedAttackAims, missedAttackTimes } from '../src/attacks/run/attack-aims.ts'
import { shareOf } from '../src/attacks/run/attack-bench.ts'
import { rowOf } from '../src/attacks/run/attack-run.ts'

const attack = { name: 'an attack', refusals: ['refused', 'closed'], must: ['refused'] }
const honest = { rows: [], right: 1, faults: [], nodesLeft: [], processes: [] }
const process = {
  name: 'node-1',
  died: false,
  startBytes: 100e6,
  middleBytes: 100e6,
  endBytes: 100e6,
  peakBytes: 100e6,
  growthBytesPerHour: 0,
  openFilesAtStart: 0,
  openFilesAtPeak: 0,
  openFilesAtEnd: 0
}

test('whatever an attacker sees beside refusals is a hole, and so is a refusal that it never saw', async t => {
  const seen = new Map([
    ['refused', 3],
    ['closed', 1]
  ])
  t.match(rowOf(attack, seen), { tries: 4, refused: 4, holes: [] })
  t.match(rowOf(attack, new Map([...seen, ['welcome', 2]])), { tries: 6, refused: 4, holes: ['2 times: welcome'] })
  t.match(rowOf(attack, new Map([['closed', 9]])), { tries: 9, refused: 9, holes: ['never: refused'] })
  t.match(rowOf(attack, new Map()), { tries: 0, holes: ['never: refused'] })
})

test('a run misses what was not refused, wrong answers, lost nodes, and memory that was taken', async t => {
  t.same(missedAttackAims({ ...honest, processes: [process] }), [])
  const rows = [rowOf(attack, new Map([['welcome', 1]]))]
  t.same(missedAttackAims({ ...honest, rows }), ['an attack: 1 times: welcome', 'an attack: never: refused'])
  t.match(missedAttackAims({ ...honest, right: 0, faults: ['status 500'], nodesLeft: ['id'] }), [
    /wrong: status 500/,
    /the node id left/,
    /no honest question/
  ])
  t.match(missedAttackAims({ ...honest, processes: [{ ...process, died: true, peakBytes: 800e6 }] }), [
    /died/,
    /to 763/
  ])
  t.same(missedAttackTimes({ share: 0.9, processes: [process] }), [])
  t.match(missedAttackTimes({ share: 0.8, processes: [{ ...process, endBytes: 200e6 }] }), [/80 %/, /second half/])
})

test('each turn is compared with the peace before and after it', async t => {
  const of = (tokens: number) => ({ seconds: 10, answers: 1, tokens })
  const turns = [
    { peace: of(100), attacked: of(90) },
    { peace: of(200), attacked: of(100) },
    { peace: of(100), attacked: of(80) }
  ]
  t.equal(shareOf(turns, of(100)).toFixed(3), '0.667', 'the median of 0.6, 0.667 and 0.8')
})

test('an attacker signs whatever it says as a node would', async t => {
  await using liar = await Attacker.start({ ip: '127.0.0.1', random: new SeededRandom(1) })
  const expected = { now: Date.now(), expectedPeer: liar.peerId }
  const text = JSON.stringify(advertOf(liar))
  t.match(await openAdvert(await sealedAnyway(liar, text), expected), { peerId: liar.peerId })
  const faultOf = async (payload: string): Promise<unknown> => {
    const sealed = await sealedAnyway(liar, payload)
    return openAdvert(sealed, expected).catch((error: unknown) => MeshError.from(error).details.fault)
  }
  t.equal(await faultOf(text.replace('"probeMsPer100M":1', '"probeMsPer100M":NaN')), 'malformed')
  t.equal(await faultOf(text.replace('"probeMsPer100M":1', '"probeMsPer100M":-1e999')), 'schema')
  t.equal(await faultOf(text.replace('"cpuModel":"none"', '"cpuModel":"\\u001b[2Jnone"')), 'schema')
})

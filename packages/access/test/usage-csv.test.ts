import t from 'tap'
import { toCsv, toUsageView } from '../src/usage/usage-view.ts'

t.test('names with quotes, commas and line ends stay in their cells', async t => {
  const sums = { requests: 1, failures: 0, promptTokens: 0, completionTokens: 0 }
  for (const [name, cell] of [
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['a\nb', '"a\nb"'],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@sum', "'@sum"],
    ['\tx', "'\tx"],
    ['\r=x', '"\'\r=x"']
  ] as const) {
    const csv = toCsv([toUsageView({ lane: `model:${name}`, ...sums })], ['model'])
    t.equal(csv.slice(csv.indexOf('\n') + 1), `${cell},,1,0,0,0,0\n`, JSON.stringify(name))
  }
})

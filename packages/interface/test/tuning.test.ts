import t from 'tap'
import { parseTuning, tunes, tuningMeasures } from '../src/index.ts'

const cases: readonly { text: string; without: readonly string[] | undefined }[] = [
  { text: 'on', without: [] },
  { text: 'off', without: tuningMeasures },
  { text: 'off=huge-pages', without: ['huge-pages'] },
  { text: 'off=rare-grants,huge-pages', without: ['huge-pages', 'rare-grants'] },
  { text: `off=${tuningMeasures.join(',')}`, without: tuningMeasures },
  { text: 'off=', without: undefined },
  { text: 'off=huge-pages,', without: undefined },
  { text: 'off=huge_pages', without: undefined },
  { text: 'on=huge-pages', without: undefined },
  { text: '', without: undefined }
]

for (const { text, without } of cases) {
  t.test(`tuning as "${text}" ${without === undefined ? 'is refused' : `leaves out ${without.length}`}`, async t => {
    const tuning = parseTuning(text)
    const left = tuning === undefined ? undefined : tuningMeasures.filter(measure => !tunes(tuning, measure))
    t.same(left, without)
  })
}

t.test('no measure is taken where none is asked for', async t => {
  t.same(
    tuningMeasures.filter(measure => tunes(undefined, measure)),
    []
  )
})

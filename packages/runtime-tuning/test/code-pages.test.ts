import t from 'tap'
import { codeMappings } from '../src/code-pages.ts'
import { parseMappings } from '../src/mappings.ts'
import { smapsEntry } from './smaps.ts'

t.test('only what programs and libraries hold unchanged counts as code', t => {
  const smaps = [
    smapsEntry('7f0000000000-7f0000400000 r--p 00000000 fe:00 131 /opt/a node'),
    smapsEntry('7f0000400000-7f0000800000 r-xp 00400000 fe:00 131 /opt/a node'),
    smapsEntry('7f0000800000-7f0000c00000 r--p 00800000 fe:00 131 /opt/a node', { anonymous: 8 }),
    smapsEntry('7f0000c00000-7f0001000000 rw-p 00c00000 fe:00 131 /opt/a node'),
    smapsEntry('7f0001000000-7f0001400000 r--s 00000000 fe:00 131 /opt/a node'),
    smapsEntry('7f0001400000-7f0001800000 r--p 00800000 fe:00 131 /opt/a node', { swapped: 8 }),
    '7f0002400000-7f0002800000 r--p 00c00000 fe:00 131 /opt/a node\nSize: 4096 kB\nRss: 4096 kB\n',
    smapsEntry('7f0002000000-7f0002400000 r--p 00000000 fe:00 132 /data/blobs/weights'),
    smapsEntry('7f0001800000-7f0001c00000 r-xp 00000000 00:00 0 '),
    smapsEntry('7f0001c00000-7f0001c01000 r-xp 00000000 00:00 0 [vdso]')
  ]
  const found = codeMappings(parseMappings(smaps.join('')))
  t.same(
    found.map(({ address }) => address),
    [0x7f0000000000n, 0x7f0000400000n]
  )
  t.same(parseMappings(''), [])
  t.end()
})

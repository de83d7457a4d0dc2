import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { swarmFor } from '@resultity/testkit'
import { test } from 'tap'

const root = join(import.meta.dirname, '../..')
const directory = join(root, 'docs/examples')

/** What each example prints of tiny-chat. Keys are all examples: a new one has to come here. */
const prints: Readonly<Record<string, RegExp>> = {
  'batch.mjs': /France: The capital of France is Paris\.\nItaly: .*Rome.*\nGermany: .*Berlin/,
  'chat.mjs': /^The capital of France is Paris\.\n$/,
  'ensemble.mjs': /\S/,
  'fetch-later.mjs': /^accepted as req_\w+\nThe capital of France is Paris\.\n$/,
  'route.mjs': /computed by \S+\[0,\d\) \S+\[\d,4\)\n$/,
  'stream.mjs': /^The capital of France is Paris\.\n\(\d+ tokens in, \d+ out\)\n$/,
  'structured.mjs': /city: .*confidence: '(low|high)'/s,
  'tools.mjs': /^(the model calls weather\((Paris|Rome)\)\n)+/
}

test('every example of the documentation does what it says', async t => {
  const files = (await readdir(directory)).filter(name => name.endsWith('.mjs') && name !== 'client.mjs')
  t.same(files.toSorted(), Object.keys(prints).toSorted())
  const swarm = await swarmFor(t, { nodes: 2, models: ['tiny-chat'] })
  for (const [file, printed] of Object.entries(prints)) {
    const { stdout } = await promisify(execFile)(process.execPath, [join(directory, file)], {
      cwd: root,
      env: { ...process.env, RESULTITY_URL: swarm.url, NODE_OPTIONS: '' }
    })
    t.match(stdout, printed, file)
  }
})

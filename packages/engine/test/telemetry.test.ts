import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)

/** Loads a stage and runs it. The runtime writes its identity before, and what it has to report at the end at the latest. */
const script = `
  import { createEngine } from ${JSON.stringify(new URL('../src/index.js', import.meta.url).href)}
  import { openTinyChat, Pipeline } from ${JSON.stringify(new URL('./tiny-chat.js', import.meta.url).href)}
  await using fixture = await openTinyChat()
  await using pipeline = await Pipeline.load(await createEngine(process.argv[2]), [4], fixture.init)
  using session = pipeline.open()
  await session.run([1, 4, 17, 335])
`

for (const kind of ['capi', 'node']) {
  t.test(`the runtime of the engine '${kind}' reports to nobody`, async t => {
    const directory = t.testdir({ home: {}, 'load.mjs': script })
    const home = join(directory, 'home')
    // none of what makes the runtime silent by itself, as on a runner of tests
    const env = { PATH: process.env.PATH, HOME: home }
    await run(process.execPath, [join(directory, 'load.mjs'), kind], { env })
    t.same(await readdir(home, { recursive: true }), [], 'no identity and no reports in the home directory')
  })
}

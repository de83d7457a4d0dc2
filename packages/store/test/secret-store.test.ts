import { SecretStore } from '../src/index.ts'
import { onBothDatabases } from './support/both-databases.ts'

onBothDatabases('a secret is drawn once, for everybody on a database', async (t, { open }) => {
  const [one, other] = [new SecretStore(await open()), new SecretStore(await open())]
  const [first, second] = await Promise.all([one.get('links'), other.get('links')])
  t.equal(first.length, 32)
  t.same(first, second)
  t.same(await other.get('links'), first)
  t.notSame(await one.get('others'), first)
})

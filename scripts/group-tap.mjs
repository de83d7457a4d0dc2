// What test files of a group get for `tap`: the test that stands for the file which is running. See test-group.mjs.
import { t as root } from 'tap'

let current = root

/** Runs `load`, which imports the file `name`, and all tests that the file declares. */
export async function runFile(name, load) {
  await root.test(name, async t => {
    current = t
    await load()
  })
}

const ofFile = new Proxy(root, {
  get: (_, key) => {
    const value = Reflect.get(current, key, current)
    return typeof value === 'function' ? value.bind(current) : value
  },
  set: (_, key, value) => Reflect.set(current, key, value, current)
})

export default ofFile
export { ofFile as t }
export const test = (...args) => current.test(...args)

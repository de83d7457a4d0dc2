// Which test files share a process.
import module from 'node:module'

/** So that a group is no longer than the longest files. */
const FILES_MAX = 12

/** What files of a group are shown under, until each has its line. */
export const GROUP = 'group '

/**
 * Files of one package share processes: they load the same modules. A file that is named in `alone` has its own, and so
 * have those of `test/`, which start daemons and import little.
 *
 * @param {string[]} files paths from the root
 * @param {string[]} alone
 * @returns {{ name: string, files: string[] }[]}
 */
export function groupsOf(files, alone) {
  // hooks in the same thread, by which a group gives each file its own tap
  if (module.registerHooks === undefined) return files.map(single)
  const packages = Map.groupBy(files, path => (alone.includes(path) ? undefined : /^packages\/[^/]+/.exec(path)?.[0]))
  const singles = packages.get(undefined) ?? []
  packages.delete(undefined)
  const groups = [...packages].flatMap(([name, members]) => {
    const count = Math.ceil(members.length / FILES_MAX)
    return Array.from({ length: count }, (_, index) => ({
      name: `${GROUP}${name} ${index + 1} of ${count}`,
      files: members.filter((_, member) => member % count === index)
    }))
  })
  return [...singles.map(single), ...groups.map(group => (group.files.length === 1 ? single(group.files[0]) : group))]
}

function single(file) {
  return { name: file, files: [file] }
}

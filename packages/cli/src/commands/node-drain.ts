import { setTimeout } from 'node:timers/promises'
import { MeshError } from '@resultity/interface'
import type { CommandDefinition } from '../command.ts'
import { EXIT_FAILED, EXIT_OK } from '../context.ts'
import { holderOf } from '../daemon/directory-lock.ts'
import { type DrainReport, readDrainReport } from '../daemon/drain-report.ts'
import { STOP_GENTLY } from '../daemon/stop-signal.ts'
import { Progress } from '../output/progress.ts'
import { text } from '../output/text.ts'

/** How often it is looked how far the node is. */
const LOOK_MS = 100

export const nodeDrainCommand: CommandDefinition = {
  name: 'drain',
  summary: 'Has the node of a data directory hand its answers and layers over and leave, and waits until it has.',
  settings: ['data'],
  dataDirectory: 'node',
  json: 'print how it ended as one JSON object',
  examples: ['resultity node drain', 'resultity node drain --data /srv/node-2'],
  async run({ settings: { data }, json, context }) {
    const pid = await nodeOn(data)
    ask(pid)
    using progress = new Progress(context.err)
    let report: DrainReport | undefined
    while ((await holderOf(data))?.pid === pid) {
      report = await readDrainReport(data, pid)
      progress.show({ text: describe(report) })
      await setTimeout(LOOK_MS)
    }
    progress[Symbol.dispose]()
    report = await readDrainReport(data, pid)
    const cutOff = report?.state === 'drained' ? 0 : (report?.running ?? 0)
    const state = report?.state === 'draining' || report === undefined ? 'ended' : report.state
    if (json) context.out.json({ pid, state, cut_off: cutOff })
    else context.out.print(text`${verdict(state, cutOff)}\n`)
    return state === 'drained' ? EXIT_OK : EXIT_FAILED
  }
}

/** @throws MeshError `settings_invalid` when no node runs there */
async function nodeOn(directory: string): Promise<number> {
  const holder = await holderOf(directory)
  if (holder?.pid !== undefined && holder.role === 'node') return holder.pid
  const what = holder === undefined ? 'no daemon runs' : 'what runs is no node'
  throw new MeshError('settings_invalid', `--data: ${what} on ${directory}`, {
    hint: 'Name the data directory that the node was started with.'
  })
}

/** @throws MeshError `permission_denied` */
function ask(pid: number): void {
  try {
    process.kill(pid, STOP_GENTLY)
  } catch (cause) {
    // it has just ended by itself
    if (cause instanceof Error && 'code' in cause && cause.code === 'ESRCH') return
    throw new MeshError('permission_denied', `process ${pid} cannot be asked to stop`, {
      hint: 'Run this command as the user that the node runs as.',
      cause
    })
  }
}

function describe(report: DrainReport | undefined): string {
  if (report === undefined) return 'asking the node to leave'
  if (report.state !== 'draining') return 'the node is leaving'
  return `handing over ${report.running} answers and jobs, ${report.placements} placements`
}

function verdict(state: string, cutOff: number): string {
  if (state === 'drained') return 'the node has handed everything over and left'
  if (state === 'ended') return 'the node was ended before it had handed everything over'
  return `the node left at its deadline; ${cutOff} answers and jobs still ran on it`
}

import { link, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, stageFiles, type WeightFile } from '@resultity/interface'
import { buildStageGraph, type StageGraph } from '@resultity/model'
import type { StageInit } from './port.ts'

/** A directory with a stage's graph and links to its weights: what the runtime loads. */
export class StageDirectory implements AsyncDisposable {
  readonly path: string
  readonly graph: StageGraph

  private constructor(path: string, graph: StageGraph) {
    this.path = path
    this.graph = graph
  }

  get graphPath(): string {
    return join(this.path, 'graph.onnx')
  }

  /**
   * Builds the graph and links the weight files of the range, and no others, next to it.
   *
   * @throws MeshError `engine_failed` when the directory cannot be written, and what {@link buildStageGraph} throws
   */
  static async create(init: StageInit): Promise<StageDirectory> {
    const graph = buildStageGraph({
      manifest: init.manifest,
      range: init.range,
      contextLength: init.contextLength,
      logits: init.logits ?? 'last',
      weightLocation: file => file.sha256
    })
    let path: string | undefined
    try {
      path = await mkdtemp(join(init.workDir, 'stage-'))
      const directory = new StageDirectory(path, graph)
      await writeFile(directory.graphPath, graph.bytes)
      for (const file of stageFiles(init.manifest, init.range)) await directory.#link(file, init.weightPath(file))
      return directory
    } catch (error) {
      if (path !== undefined) await rm(path, { recursive: true, force: true })
      throw new MeshError('engine_failed', `could not lay out the stage in ${init.workDir}: ${String(error)}`, {
        hint: 'check that the directory exists, is writable and has space',
        cause: error
      })
    }
  }

  /** The runtime refuses external data outside the graph's directory, so each weight file gets a name in it. */
  async #link(file: WeightFile, target: string): Promise<void> {
    const name = join(this.path, file.sha256)
    try {
      await link(target, name)
    } catch {
      // the blobs are on another file system, or it knows no hard links
      await symlink(target, name)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}

import { link, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, stageFiles, type WeightFile, weightFiles } from '@resultity/interface'
import { buildEncoderGraph, buildStageGraph, type EncoderGraph, type StageGraph } from '@resultity/model'
import type { EncoderInit } from './encoder.ts'
import type { StageInit } from './port.ts'

type Places = Pick<StageInit, 'workDir' | 'weightPath'>

/** A directory with a graph and links to its weights: what the runtime loads. */
export class GraphDirectory<Graph extends { readonly bytes: Uint8Array }> implements AsyncDisposable {
  readonly path: string
  readonly graph: Graph

  private constructor(path: string, graph: Graph) {
    this.path = path
    this.graph = graph
  }

  get graphPath(): string {
    return join(this.path, 'graph.onnx')
  }

  /**
   * Builds a stage's graph and links the weight files of its range, and no others, next to it.
   *
   * @throws MeshError `engine_failed` when the directory cannot be written, and what {@link buildStageGraph} throws
   */
  static forStage(init: StageInit): Promise<GraphDirectory<StageGraph>> {
    const { manifest, range, contextLength, logits = 'last' } = init
    const graph = buildStageGraph({ manifest, range, contextLength, logits, weightLocation: file => file.sha256 })
    return GraphDirectory.#layOut(graph, stageFiles(manifest, range), init)
  }

  /**
   * Builds an encoder's graph and links its weight files next to it.
   *
   * @throws MeshError `engine_failed` when the directory cannot be written, and what {@link buildEncoderGraph} throws
   */
  static forEncoder(init: EncoderInit): Promise<GraphDirectory<EncoderGraph>> {
    const { manifest } = init
    const graph = buildEncoderGraph({ manifest, weightLocation: file => file.sha256 })
    return GraphDirectory.#layOut(graph, weightFiles(manifest), init)
  }

  static async #layOut<Graph extends { readonly bytes: Uint8Array }>(
    graph: Graph,
    files: readonly WeightFile[],
    { workDir, weightPath }: Places
  ): Promise<GraphDirectory<Graph>> {
    let path: string | undefined
    try {
      path = await mkdtemp(join(workDir, 'stage-'))
      const directory = new GraphDirectory(path, graph)
      await writeFile(directory.graphPath, graph.bytes)
      for (const file of files) await directory.#link(file, weightPath(file))
      return directory
    } catch (error) {
      if (path !== undefined) await rm(path, { recursive: true, force: true })
      throw new MeshError('engine_failed', `could not lay out the graph in ${workDir}: ${String(error)}`, {
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

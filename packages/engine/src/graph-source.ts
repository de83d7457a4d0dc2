import { constants, copyFile, link, mkdtemp, realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import {
  buildCaptionTextGraph,
  buildPictureReaderGraph,
  buildSightGraph,
  type CaptionTextGraph,
  type PictureReaderGraph,
  type SightGraph
} from '@resultity/blip'
import { MeshError, requireSight, stageFiles, type WeightFile, weightFiles } from '@resultity/interface'
import { buildEncoderGraph, buildStageGraph, type EncoderGraph, type StageGraph } from '@resultity/model'
import { type AudioGraph, buildAudioGraph, buildTextGraph, type TextGraph } from '@resultity/whisper'
import type { EncoderInit } from './encoder.ts'
import type { CaptionerInit, SpeechInit, StageInit } from './port.ts'

type Places = Pick<StageInit, 'workDir' | 'weightPath'>

/** `everyState`: also the states behind each layer, which only a comparison needs. */
type CaptionGraphInit = Pick<CaptionerInit, 'manifest' | 'workDir' | 'weightPath'> & { readonly everyState?: boolean }

/** Real path of each weight file, by its hash. */
type Paths = ReadonlyMap<string, string>

/** A graph, and the one folder in which the runtime finds its weight files. */
export class GraphSource<Graph extends { readonly bytes: Uint8Array }> implements AsyncDisposable {
  readonly graph: Graph
  readonly folder: string
  /** The weight files, as the system names their mappings. */
  readonly files: ReadonlySet<string>
  /** Whether the folder was made for this graph. */
  readonly #own: boolean

  private constructor(graph: Graph, folder: string, paths: Paths, own: boolean) {
    this.graph = graph
    this.folder = folder
    this.files = new Set(paths.values())
    this.#own = own
  }

  /**
   * A stage's graph and the weight files of its range, and no others.
   *
   * @throws MeshError `engine_failed` naming a weight file that is not there or not as long as the manifest says, and
   *   what {@link buildStageGraph} throws
   */
  static forStage(init: StageInit): Promise<GraphSource<StageGraph>> {
    const { manifest, range, contextLength, logits = 'last' } = init
    return GraphSource.#place(stageFiles(manifest, range), init, weightLocation =>
      buildStageGraph({ manifest, range, contextLength, logits, weightLocation })
    )
  }

  /**
   * An encoder's graph and its weight files.
   *
   * @throws MeshError as {@link forStage}, and what {@link buildEncoderGraph} throws
   */
  static forEncoder(init: EncoderInit): Promise<GraphSource<EncoderGraph>> {
    const { manifest } = init
    return GraphSource.#place(weightFiles(manifest), init, weightLocation =>
      buildEncoderGraph({ manifest, weightLocation })
    )
  }

  /**
   * What hears the windows of a speech model. It reads the decoder's files too, for the keys and values of cross attention.
   *
   * @throws MeshError as {@link forStage}, and what {@link buildAudioGraph} throws
   */
  static forAudio(init: SpeechInit): Promise<GraphSource<AudioGraph>> {
    const { manifest } = init
    return GraphSource.#place(weightFiles(manifest), init, weightLocation =>
      buildAudioGraph({ manifest, weightLocation })
    )
  }

  /**
   * What writes the texts of a speech model.
   *
   * @throws MeshError as {@link forStage}, and what {@link buildTextGraph} throws
   */
  static forText(init: SpeechInit): Promise<GraphSource<TextGraph>> {
    const { manifest } = init
    return GraphSource.#place(weightFiles(manifest), init, weightLocation =>
      buildTextGraph({ manifest, weightLocation })
    )
  }

  /**
   * What looks at pictures. It reads the decoder's files too, for the keys and values of cross attention.
   *
   * @throws MeshError as {@link forStage}, and what {@link buildSightGraph} throws
   */
  static forSight({ everyState = false, ...init }: CaptionGraphInit): Promise<GraphSource<SightGraph>> {
    const { manifest } = init
    return GraphSource.#place(weightFiles(manifest), init, weightLocation =>
      buildSightGraph({ manifest, weightLocation, everyState })
    )
  }

  /**
   * What writes of pictures.
   *
   * @throws MeshError as {@link forStage}, and what {@link buildCaptionTextGraph} throws
   */
  static forCaption({ everyState = false, ...init }: CaptionGraphInit): Promise<GraphSource<CaptionTextGraph>> {
    const { manifest } = init
    return GraphSource.#place(weightFiles(manifest), init, weightLocation =>
      buildCaptionTextGraph({ manifest, weightLocation, everyState })
    )
  }

  /**
   * What looks at pictures for a first stage.
   *
   * @throws MeshError as {@link forStage}, `invalid_request` for a model that reads none
   */
  static forPictures(
    init: Pick<StageInit, 'manifest' | 'workDir' | 'weightPath'> & { readonly everyState?: boolean }
  ): Promise<GraphSource<PictureReaderGraph>> {
    const { manifest, everyState = false } = init
    const sight = requireSight(manifest)
    const { hiddenSize } = manifest.config
    return GraphSource.#place(sight.files, init, weightLocation =>
      buildPictureReaderGraph({ sight, hiddenSize, weightLocation, everyState })
    )
  }

  /**
   * A component of a model that has several, and the weight files of this component alone.
   *
   * @throws MeshError as {@link forStage}, and what `build` throws
   */
  static forComponent<Manifest, Graph extends { readonly bytes: Uint8Array }>(
    init: Places & { readonly manifest: Manifest },
    files: readonly WeightFile[],
    build: (init: { readonly manifest: Manifest; weightLocation(file: WeightFile): string }) => Graph
  ): Promise<GraphSource<Graph>> {
    const { manifest } = init
    return GraphSource.#place(files, init, weightLocation => build({ manifest, weightLocation }))
  }

  /**
   * The files are used where they lie. Only where they lie in several folders, of this node's store and of another, are
   * they linked into one of their own: the runtime takes weights from one folder, and refuses links that lead out of it.
   */
  static async #place<Graph extends { readonly bytes: Uint8Array }>(
    files: readonly WeightFile[],
    { workDir, weightPath }: Places,
    build: (weightLocation: (file: WeightFile) => string) => Graph
  ): Promise<GraphSource<Graph>> {
    let own: string | undefined
    try {
      let paths: Paths = await locate(files, weightPath)
      const [folder, ...others] = new Set([...paths.values()].map(path => dirname(path)))
      if (folder === undefined || others.length > 0) {
        own = await mkdtemp(join(await realpath(workDir), 'stage-'))
        paths = await gather(paths, own)
      }
      const graph = build(file => basename(paths.get(file.sha256) ?? file.sha256))
      return new GraphSource(graph, own ?? folder ?? workDir, paths, own !== undefined)
    } catch (error) {
      if (own !== undefined) await rm(own, { recursive: true, force: true })
      if (error instanceof MeshError) throw error
      throw new MeshError('engine_failed', `could not place the weight files: ${String(error)}`, {
        hint: `check that ${workDir} exists, is writable and has space`,
        cause: error
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#own) await rm(this.folder, { recursive: true, force: true })
  }
}

/** A file that is shorter than its mapping takes the process down when it is read there: that is seen before. */
async function locate(files: readonly WeightFile[], weightPath: (file: WeightFile) => string): Promise<Paths> {
  const paths = new Map<string, string>()
  for (const file of files) {
    const path = weightPath(file)
    const bytes = await stat(path).then(
      ({ size }) => size,
      () => undefined
    )
    if (bytes !== file.bytes) {
      const what = bytes === undefined ? 'cannot be read' : `has ${bytes} bytes, not ${file.bytes}`
      throw new MeshError('engine_failed', `the weight file ${path} ${what}`, {
        hint: 'load the model again: a damaged file is fetched anew'
      })
    }
    paths.set(file.sha256, await realpath(path))
  }
  return paths
}

/** Hard links of the files in `folder`; copies of those on another file system, or that somebody else owns. */
async function gather(paths: Paths, folder: string): Promise<Paths> {
  const gathered = new Map<string, string>()
  for (const [sha256, path] of paths) {
    const name = join(folder, sha256)
    await link(path, name).catch(() => copyFile(path, name, constants.COPYFILE_FICLONE))
    gathered.set(sha256, name)
  }
  return gathered
}

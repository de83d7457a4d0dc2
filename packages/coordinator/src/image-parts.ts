import {
  DescriptionEndpoint,
  type DescriptionEndpointComponents,
  descriptionForm,
  forgetKept,
  ImageEndpoint,
  type ImageEndpointComponents,
  imageRoutes,
  type KeptPicturesInit,
  PictureInput,
  PictureLinks,
  pictureForm
} from '@resultity/imaging'
import { type Clock, MeshError } from '@resultity/interface'
import type { FileService, JobRuntime } from '@resultity/jobs'
import type { HttpEndpoint, JobForm } from '@resultity/openai'
import { DEFAULT_PICTURE_LIMITS } from '@resultity/pictures'
import type { Logger } from 'pino'

/** What pictures that come with requests may cost. */
export interface ImageLimits {
  /** Of one file, by its head. Each takes 4 to 8 bytes of memory while it is decoded, and two are at once. */
  readonly picturePixelsMax: number
  /** From one state of a picture that is kept for after a crash to the next. */
  readonly pictureStateMs: number
}

/** A state of the largest pictures has 2 MB: half of that a second, and a crash costs a step or a few. */
export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  picturePixelsMax: DEFAULT_PICTURE_LIMITS.pixelsMax,
  pictureStateMs: 2000
}

export type ImageAnswerComponents = Omit<
  ImageEndpointComponents,
  'pictureInput' | 'pictureLinks' | 'fileService' | 'clock' | 'keeping' | 'onUnkept'
> &
  Pick<DescriptionEndpointComponents, 'resizing' | 'nodeJobs'>

export interface ImageParts {
  /** Takes JSON alone. */
  readonly generation: HttpEndpoint
  /** Those whose requests come with pictures, and how their forms are read. */
  readonly withPictures: readonly { readonly endpoint: HttpEndpoint; readonly form: JobForm }[]
  readonly pictureInput: PictureInput
  readonly pictureLinks: PictureLinks
}

export interface ImagePartsComponents {
  readonly fileService: FileService
  readonly clock: Clock
  readonly logger: Logger
}

export interface ImagePartsInit {
  /** Signs links to pictures. */
  readonly linkSecret: Uint8Array
  /** Where clients reach the API, in place of where each says that it does. */
  readonly publicUrl: string | undefined
  readonly keeping: KeptPicturesInit
}

/** What draws pictures, and what describes them. */
export function buildImages(
  answers: ImageAnswerComponents,
  { fileService, clock, logger }: ImagePartsComponents,
  { linkSecret, publicUrl, keeping }: ImagePartsInit
): ImageParts {
  const { pictures } = answers
  const pictureInput = new PictureInput({ fileService, pictures })
  const pictureLinks = new PictureLinks({ clock, secret: linkSecret })
  const onUnkept = (err: MeshError): void => logger.warn({ err }, 'how far a picture is was not kept')
  const components = { ...answers, fileService, clock, pictureInput, pictureLinks, keeping, onUnkept }
  const endpointOf = (route: (typeof imageRoutes)[keyof typeof imageRoutes]) =>
    new ImageEndpoint(components, route, { publicUrl })
  return {
    generation: endpointOf(imageRoutes.generation),
    withPictures: [
      {
        endpoint: endpointOf(imageRoutes.edit),
        form: pictureForm(pictures.limits, { names: ['mask'], lists: ['image'] })
      },
      { endpoint: endpointOf(imageRoutes.variation), form: pictureForm(pictures.limits, { names: ['image'] }) },
      { endpoint: new DescriptionEndpoint(components), form: descriptionForm(pictures.limits) }
    ],
    pictureInput,
    pictureLinks
  }
}

/** What is kept of pictures on their way goes with their job. @returns stops watching */
export function forgetPicturesWithJobs(
  runtime: JobRuntime,
  fileService: FileService,
  onError: (error: MeshError) => void
): () => void {
  const paths = new Set(Object.values(imageRoutes).map(({ api }) => api.path))
  return runtime.onEnd(job => {
    if (!paths.has(job.endpoint)) return
    forgetKept(fileService, job).catch((error: unknown) => onError(MeshError.from(error)))
  })
}

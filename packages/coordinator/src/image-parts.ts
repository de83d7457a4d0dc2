import {
  DescriptionEndpoint,
  type DescriptionEndpointComponents,
  descriptionForm,
  ImageEndpoint,
  type ImageEndpointComponents,
  imageRoutes,
  PictureInput,
  PictureLinks,
  pictureForm
} from '@resultity/imaging'
import type { Clock } from '@resultity/interface'
import type { FileService } from '@resultity/jobs'
import type { HttpEndpoint, JobForm } from '@resultity/openai'
import { DEFAULT_PICTURE_LIMITS } from '@resultity/pictures'

/** What pictures that come with requests may cost. */
export interface ImageLimits {
  /** Of one file, by its head. Each takes 4 to 8 bytes of memory while it is decoded, and two are at once. */
  readonly picturePixelsMax: number
}

export const DEFAULT_IMAGE_LIMITS: ImageLimits = { picturePixelsMax: DEFAULT_PICTURE_LIMITS.pixelsMax }

export type ImageAnswerComponents = Omit<
  ImageEndpointComponents,
  'pictureInput' | 'pictureLinks' | 'fileService' | 'clock'
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

export interface ImagePartsInit {
  /** Signs links to pictures. */
  readonly linkSecret: Uint8Array
  /** Where clients reach the API, in place of where each says that it does. */
  readonly publicUrl: string | undefined
}

/** What draws pictures, and what describes them. */
export function buildImages(
  answers: ImageAnswerComponents,
  { fileService, clock }: { readonly fileService: FileService; readonly clock: Clock },
  { linkSecret, publicUrl }: ImagePartsInit
): ImageParts {
  const { pictures } = answers
  const pictureInput = new PictureInput({ fileService, pictures })
  const pictureLinks = new PictureLinks({ clock, secret: linkSecret })
  const components = { ...answers, fileService, clock, pictureInput, pictureLinks }
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

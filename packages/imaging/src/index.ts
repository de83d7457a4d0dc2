export { PICTURES_IN_MAX, pictureForm } from './picture-form.ts'
export { PictureInput, type PictureInputComponents, type PicturePlace } from './picture-input.ts'
export { type PictureRef, pictureRefSchema } from './picture-ref.ts'

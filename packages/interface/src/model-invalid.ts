import { MeshError } from './errors.ts'

/** The error of every malformed model file: `where` names the file and, when known, the tensor or field. */
export function modelInvalid(where: string, what: string, hint?: string): MeshError {
  return new MeshError('model_invalid', `${where}: ${what}`, {
    hint: hint ?? 'the file is damaged or not a supported model; fetch it again, or choose another one'
  })
}

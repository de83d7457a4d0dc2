import { MeshError, withParam } from '@resultity/interface'

/** Calls the field that an error is about as the client's own body does. */
export async function inClientWords<T>(prepare: () => Promise<T>, paramOf: (param: string) => string): Promise<T> {
  try {
    return await prepare()
  } catch (error) {
    const known = MeshError.from(error)
    const { param } = known.details
    throw typeof param === 'string' ? withParam(known, paramOf(param)) : known
  }
}

/** The header that names fields of a request which were passed over, since the model has no use for them. */
export const IGNORED_FIELDS = 'x-resultity-ignored-fields'

/** Of the coordinator, as the identify protocol and the API document tell it. */
export const COORDINATOR_VERSION = '0.1.0'

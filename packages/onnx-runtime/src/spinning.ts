/**
 * What the threads of a stage do between two operators: sleep (`false`), spin (`true`), or spin inside a run and
 * sleep between runs (`'run'`). Spinning is faster alone on a machine and much slower where stages share one.
 */
export type Spinning = boolean | 'run'

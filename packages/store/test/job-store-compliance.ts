import type { Test } from 'tap'
import type { JobStore, JobStoreInit } from '../src/index.ts'
import { cancelCompliance } from './support/cancel-compliance.ts'
import { claimCompliance } from './support/claim-compliance.ts'
import { listCompliance } from './support/list-compliance.ts'
import { logCompliance } from './support/log-compliance.ts'
import { submitCompliance } from './support/submit-compliance.ts'

export interface StoreSetup {
  /** Opens an empty store, closed after the test. */
  open(t: Test, init?: JobStoreInit): Promise<JobStore>
}

/** What every `JobStore` promises. */
export function jobStoreCompliance(t: Test, setup: StoreSetup): void {
  submitCompliance(t, setup)
  claimCompliance(t, setup)
  logCompliance(t, setup)
  cancelCompliance(t, setup)
  listCompliance(t, setup)
}

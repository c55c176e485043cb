import type { Inspection } from '../plan/inspect-step.ts';
import type { Reservation } from '../store/reservation.ts';
import type { EndedWork } from './describe-end.ts';

/** What is known of a step while it is dealt with. */
export interface Work extends EndedWork {
  reservation?: Reservation;
  running?: AbortController;
  /** The last lines that it wrote. */
  readonly tail: string[];
}

/** What a look at the store has said; the machine never asks for more before one. */
export function inspectionOf({ step, inspection }: Work): Inspection {
  if (inspection === undefined) throw new Error(`Internal error: ${step.id} was not looked at.`);
  return inspection;
}

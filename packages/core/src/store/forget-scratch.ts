import { join } from 'node:path';
import { realPlatform } from '../util/platform.ts';
import { Reservations } from './reservation.ts';
import { Store } from './store.ts';

/** Removes what steps have kept to go on from, by fingerprint; gives those that another run is at and that stay. */
export function forgetScratch(projectDir: string, fingerprints: readonly string[]): readonly string[] {
  const reservations = new Reservations(join(projectDir, '.joyul'), realPlatform);
  const store = new Store(projectDir);
  try {
    return fingerprints.filter((fingerprint) => {
      const reservation = reservations.try([fingerprint]);
      if (reservation === undefined) return true;
      store.removeScratch(fingerprint);
      reservation.release();
      return false;
    });
  } finally {
    reservations.close();
  }
}

/**
 * Reserves keys over and over, as a process of its own: `reservation-worker.ts FOLDER SECONDS`.
 *
 * Whoever holds a key proves that it is alone by a link that must not be there yet and that names its process. It ends
 * with 1 when a link of another living process is in its way.
 */
import { mkdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reservation } from '../../src/store/reservation.ts';
import { Reservations } from '../../src/store/reservation.ts';
import { codeOf } from '../../src/util/files.ts';
import { realPlatform } from '../../src/util/platform.ts';

const [dir = '', seconds = ''] = process.argv.slice(2);
const endMs = Date.now() + Number(seconds) * 1000;
const keys = ['a', 'b', 'c', 'd'] as const;
const { own, isAlive } = realPlatform.processes;
const reservations = new Reservations(dir, realPlatform);
const counts = { held: 0, several: 0, waited: 0, takenOver: 0 };

/** One to three keys in any order. */
function pickKeys(): readonly string[] {
  const shuffled = [...keys].sort(() => Math.random() - 0.5);
  return shuffled.slice(0, 1 + Math.floor(Math.random() * 3));
}

const linkOf = (key: string): string => join(dir, 'held', key);

/** Says that this process has a key; what a killed one left there is nobody's. */
function claim(key: string): void {
  for (;;) {
    try {
      symlinkSync(own, linkOf(key));
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const owner = readlinkSync(linkOf(key));
    if (isAlive(owner)) throw new Error(`${own} was given ${key}, which ${owner} holds.`);
    unlinkSync(linkOf(key));
    counts.takenOver++;
  }
}

function giveUp(key: string): void {
  const owner = readlinkSync(linkOf(key));
  if (owner !== own) throw new Error(`${owner} took ${key} while ${own} held it.`);
  unlinkSync(linkOf(key));
}

async function reserve(wanted: readonly string[]): Promise<Reservation> {
  const reservation = reservations.try(wanted);
  if (reservation !== undefined) return reservation;
  counts.waited++;
  const waited = await reservations.wait(wanted, new AbortController().signal);
  if (waited === undefined) throw new Error('A wait that nobody gave up was given up.');
  return waited;
}

mkdirSync(join(dir, 'held'), { recursive: true });
while (Date.now() < endMs) {
  const wanted = pickKeys();
  const reservation = await reserve(wanted);
  wanted.forEach(claim);
  counts.held++;
  if (wanted.length > 1) counts.several++;
  if (Math.random() < 0.3) await sleep(Math.random() * 4);
  wanted.forEach(giveUp);
  reservation.release();
  // Others get their turn.
  if (Math.random() < 0.5) await sleep(Math.random() * 4);
}
reservations.close();
process.stdout.write(JSON.stringify(counts));

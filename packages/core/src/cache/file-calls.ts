/** Every call of the file system that the care of the store makes. */
export {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  lstatSync,
  statfsSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';

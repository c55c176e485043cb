import { resolve, sep } from 'node:path';

/** The absolute path of an archive member, refused where it would lie outside the folder. */
export function resolveInside(folder: string, name: string): string {
  const root = resolve(folder);
  const target = resolve(root, name);
  if (!target.startsWith(root + sep) || name.includes('\0')) {
    throw new Error(`The archive member ${JSON.stringify(name)} lies outside its folder.`);
  }
  return target;
}

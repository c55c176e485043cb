/**
 * Places the nodes of a directed graph in rows, so that edges go down and seldom cross (Sugiyama's method).
 *
 *     rank → thread long edges through the rows between → order each row → place each row
 *
 * Edges from one node share one thread: it goes down once, and each target branches off from it.
 */
import { orderRows } from './order-rows.ts';
import { placeRows } from './place-rows.ts';

/** A node before it has a place. */
export interface Box {
  readonly width: number;
  readonly height: number;
}

/** An edge, by the numbers of its ends. */
export interface Link {
  readonly from: number;
  readonly to: number;
}

/** Something in a row: a node, or the place where a long edge passes. */
export interface RowItem {
  /** The node's number; absent for a passing edge. */
  readonly node?: number;
  readonly width: number;
  readonly height: number;
  readonly row: number;
  /** Items of the row above, and of the row below, with which it is joined. */
  readonly above: RowItem[];
  readonly below: RowItem[];
  /** Its place in the row, from 0. */
  order: number;
  /** The middle, from left to right. */
  x: number;
}

/** Where things are. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** By node: the middle of its upper side. */
  readonly nodes: readonly { readonly x: number; readonly y: number }[];
  /** By edge: the points that it passes between its ends, each at the top and at the bottom of a row. */
  readonly edges: readonly (readonly {
    readonly x: number;
    readonly top: number;
    readonly bottom: number;
  }[])[];
}

/** Between two neighbours of a row. */
const gap = 28;
/** Between two rows: room for the curves and for the names of ports. */
const rowGap = 64;
/** Edges that pass more rows than this are drawn straight: their threads would fill the picture. */
const maxThread = 40;

/** A row for each node: below all that it needs, and no row much wider than the picture is high. */
function rankNodes(count: number, links: readonly Link[]): readonly number[] {
  const [parents, children] = [
    Array.from({ length: count }, (): number[] => []),
    Array.from({ length: count }, (): number[] => []),
  ];
  for (const { from, to } of links) {
    parents[to]?.push(from);
    children[from]?.push(to);
  }
  const limit = Math.max(8, Math.ceil(1.3 * Math.sqrt(count)));
  const ranks = new Array<number>(count).fill(0);
  const used: number[] = [];
  const take = (node: number, least: number): void => {
    let rank = least;
    while ((used[rank] ?? 0) >= limit) rank++;
    used[rank] = (used[rank] ?? 0) + 1;
    ranks[node] = rank;
  };
  const rankOf = (node: number): number => ranks[node] ?? 0;
  const alone: number[] = [];
  // Nodes come in an order in which each is after all that it needs.
  for (let node = 0; node < count; node++) {
    const needs = parents[node] ?? [];
    if (needs.length === 0 && children[node]?.length === 0) alone.push(node);
    else take(node, needs.length === 0 ? 0 : Math.max(...needs.map(rankOf)) + 1);
  }
  // A source goes down to what needs it first.
  for (let node = 0; node < count; node++) {
    const next = children[node] ?? [];
    if (parents[node]?.length !== 0 || next.length === 0) continue;
    const wanted = Math.min(...next.map(rankOf)) - 1;
    if (wanted <= rankOf(node) || (used[wanted] ?? 0) >= limit) continue;
    used[rankOf(node)] = (used[rankOf(node)] ?? 1) - 1;
    used[wanted] = (used[wanted] ?? 0) + 1;
    ranks[node] = wanted;
  }
  // Nodes without edges stand together, below the others.
  const last = used.length;
  for (const [at, node] of alone.entries()) ranks[node] = last + Math.floor(at / limit);
  return ranks;
}

const makeItem = (row: number, box: Box, node?: number): RowItem => ({
  ...(node === undefined ? {} : { node }),
  ...box,
  row,
  above: [],
  below: [],
  order: 0,
  x: 0,
});

function join(upper: RowItem, lower: RowItem): void {
  if (upper.below.includes(lower)) return;
  upper.below.push(lower);
  lower.above.push(upper);
}

interface Threads {
  readonly rows: readonly RowItem[][];
  readonly items: readonly RowItem[];
  /** By edge: what it passes. */
  readonly passed: readonly (readonly RowItem[])[];
}

/** Rows of items, with one thread for each node whose edges pass rows. */
function threadEdges(boxes: readonly Box[], links: readonly Link[]): Threads {
  const ranks = rankNodes(boxes.length, links);
  const items = boxes.map((box, node) => makeItem(ranks[node] ?? 0, box, node));
  const rows = Array.from({ length: Math.max(...ranks, 0) + 1 }, (): RowItem[] => []);
  for (const item of items) rows[item.row]?.push(item);
  const threads = new Map<string, RowItem>();
  const passed = links.map(({ from, to }) => {
    const [start, end] = [items[from], items[to]];
    if (start === undefined || end === undefined || end.row - start.row > maxThread) return [];
    const path: RowItem[] = [];
    let before = start;
    for (let row = start.row + 1; row < end.row; row++) {
      const name = `${from} ${row}`;
      const known = threads.get(name);
      const item = known ?? makeItem(row, { width: 8, height: 0 });
      if (known === undefined) {
        threads.set(name, item);
        rows[row]?.push(item);
      }
      join(before, item);
      path.push(item);
      before = item;
    }
    join(before, end);
    return path;
  });
  return { rows, items, passed };
}

/** Places boxes. Each link goes from a lower number to a higher one; others are left out of account. */
export function layOut(boxes: readonly Box[], links: readonly Link[]): Layout {
  const forward = links.filter(({ from, to }) => from < to);
  const { rows, items, passed } = threadEdges(boxes, forward);
  // Threads begin in the middle of their row: what branches off can then stand on either side.
  for (const row of rows) {
    const boxed = row.filter((item) => item.node !== undefined);
    const threads = row.filter((item) => item.node === undefined);
    boxed.splice(Math.ceil(boxed.length / 2), 0, ...threads);
    row.splice(0, row.length, ...boxed);
  }
  orderRows(rows);
  placeRows(rows, gap);
  const tops: number[] = [];
  const heights = rows.map((row) => Math.max(...row.map((item) => item.height), 0));
  let y = 0;
  for (const height of heights) {
    tops.push(y);
    y += height + rowGap;
  }
  const paths = new Map(forward.map((link, index) => [link, passed[index] ?? []]));
  return {
    width: rows.flat().reduce((most, item) => Math.max(most, item.x + item.width / 2), 0),
    height: Math.max(0, y - rowGap),
    nodes: items.map((item) => ({ x: item.x, y: tops[item.row] ?? 0 })),
    edges: links.map((link) =>
      (paths.get(link) ?? []).map((item) => {
        const top = tops[item.row] ?? 0;
        return { x: item.x, top, bottom: top + (heights[item.row] ?? 0) };
      }),
    ),
  };
}

"""The courses of arrows: along a grid, around boxes and text, with few bends and crossings.

Each course is a cheapest path (A*). Arrows of one source share their way as long as they can; those of others
cross at right angles, and never run on one another.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .graph import Edge
from .scene import Box, Line, Point, Rectangle, Scene

WAYS = ((1, 0), (0, 1), (-1, 0), (0, -1))
BEND, CROSSING, BESIDE, NEAR, SHARED = 6.0, 9.0, 1.5, 0.6, 0.25
ASIDE = 8.0
"""Extra cost of coming in beside the middle of a border."""
PULL = 0.8
"""How strongly the search is drawn to its goal: 0.25 would be exact, and slower."""
LEAVING = (0.0, 2.0, 8.0, 8.0)
"""Extra cost of leaving a box to the right, left, below and above."""
STUB = 2
"""Cells that an arrow goes straight before its head."""


State = tuple[Point, int]
"""A point of the grid, and the direction in which it was come to."""


class NoWay(Exception):
    """An arrow that finds no course; there must be more room."""

    def __init__(self, edge: Edge) -> None:
        super().__init__(f"no way from {edge.source} to {edge.target}")
        self.edge = edge


@dataclass(frozen=True)
class Port:
    """A point on a box's border, and the direction out of it."""

    at: Point
    way: int

    def out(self, cells: int) -> Point:
        """The point so many cells outside."""
        return self.at[0] + WAYS[self.way][0] * cells, self.at[1] + WAYS[self.way][1] * cells


@dataclass
class Grid:
    """What is taken: by boxes and text, and by lines, told apart by their source and whether they lie or stand."""

    w: int
    h: int
    blocked: set[Point] = field(default_factory=set)
    near: set[Point] = field(default_factory=set)
    lying: dict[Point, set[str]] = field(default_factory=lambda: defaultdict(set))
    standing: dict[Point, set[str]] = field(default_factory=lambda: defaultdict(set))
    corners: dict[Point, set[str]] = field(default_factory=lambda: defaultdict(set))

    def block(self, place: Rectangle, margin: int = 0) -> None:
        """Keep lines out of a rectangle, and off its border by `margin`."""
        for x in range(int(place.x0) - margin - 1, int(place.x1) + margin + 2):
            for y in range(int(place.y0) - margin - 1, int(place.y1) + margin + 2):
                inside = place.x0 - margin <= x <= place.x1 + margin and place.y0 - margin <= y <= place.y1 + margin
                (self.blocked if inside else self.near).add((x, y))

    def draw(self, line: Line) -> None:
        """Take what a line passes."""
        net = line.edge.source
        for (x0, y0), (x1, y1) in line.pieces():
            taken = self.lying if y0 == y1 else self.standing
            for point in Line(line.edge, [(x0, y0), (x1, y1)]).course():
                taken[point].add(net)
        for point in line.points[1:-1]:
            self.corners[point].add(net)

    def cost(self, point: Point, way: int, net: str) -> float | None:
        """Of stepping onto a point in a direction; None where that is not allowed."""
        if point in self.blocked or not (0 <= point[0] <= self.w and 0 <= point[1] <= self.h):
            return None
        along, across = (self.lying, self.standing) if way % 2 == 0 else (self.standing, self.lying)
        if any(other != net for other in (*along.get(point, ()), *self.corners.get(point, ()))):
            return None
        if net in along.get(point, ()):
            return SHARED
        cost = 1.0 + (NEAR if point in self.near else 0.0)
        cost += CROSSING * sum(other != net for other in across.get(point, ()))
        dx, dy = WAYS[(way + 1) % 4]
        for side in (-1, 1):
            beside = (point[0] + side * dx, point[1] + side * dy)
            cost += BESIDE * any(other != net for other in along.get(beside, ()))
        return cost

    def may_turn(self, point: Point, net: str) -> bool:
        """Whether a line may have a corner there: not on another's line."""
        others = (*self.lying.get(point, ()), *self.standing.get(point, ()))
        return all(other == net for other in others)


def routed(scene: Scene, edges: Iterable[Edge]) -> None:
    """Give a scene's other edges their courses, around what is drawn already.

    Raises:
        NoWay: there is no room for one.
    """
    boxes = {box.node.key: box for box in scene.boxes}
    grid = Grid(scene.w, scene.h)
    for box in scene.boxes:
        grid.block(box.rectangle)
    for label in scene.labels:
        grid.block(label.place)
    taken: set[Point] = set()
    for line in scene.lines:
        grid.draw(line)
        taken.add(line.points[-1])
    waiting = sorted(edges, key=lambda edge: (_distance(boxes[edge.source], boxes[edge.target]), edge.source))
    for edge in waiting:
        points = _Search(grid, edge, boxes[edge.source], boxes[edge.target], taken).points()
        if points is None:
            raise NoWay(edge)
        line = Line(edge, points)
        taken.add(points[-1])
        grid.draw(line)
        scene.lines.append(line)


def _distance(a: Box, b: Box) -> int:
    return abs(a.middle[0] - b.middle[0]) + abs(a.middle[1] - b.middle[1])


class _Search:
    """The cheapest way of one arrow from a box to another."""

    def __init__(self, grid: Grid, edge: Edge, source: Box, target: Box, taken: set[Point]) -> None:
        self.grid, self.net = grid, edge.source
        self.ends = {
            (port.out(STUB), (port.way + 2) % 4): (port, extra)
            for port, extra in _entries(target, edge)
            if port.at not in taken and self._free(port)
        }
        self.goals = [point for point, _ in self.ends]
        self.queue: list[tuple[float, int, State]] = []
        self.cost: dict[State, float] = {}
        self.came: dict[State, State | Port] = {}
        for port, extra in zip(_exits(source), LEAVING, strict=True):
            first = grid.cost(port.out(1), port.way, self.net)
            if first is not None and port.at not in taken:
                self._reach((port.out(1), port.way), first + extra, port)

    def points(self) -> list[Point] | None:
        """Where the way begins, turns and ends; None where there is none."""
        done: set[State] = set()
        best: tuple[float, State] | None = None
        while self.goals and self.queue:
            guess, _, state = heapq.heappop(self.queue)
            if best and guess >= best[0]:
                break
            if state in done:
                continue
            done.add(state)
            if state in self.ends and (best is None or self.cost[state] + self.ends[state][1] < best[0]):
                best = self.cost[state] + self.ends[state][1], state
            self._go_on(state)
        return self._walked(best[1]) if best else None

    def _go_on(self, state: State) -> None:
        point, way = state
        for turn in (0, 1, 3):
            ahead = (way + turn) % 4
            if turn and not self.grid.may_turn(point, self.net):
                continue
            onto = point[0] + WAYS[ahead][0], point[1] + WAYS[ahead][1]
            step = self.grid.cost(onto, ahead, self.net)
            if step is not None:
                self._reach((onto, ahead), self.cost[state] + step + (BEND if turn else 0.0), state)

    def _reach(self, state: State, cost: float, before: State | Port) -> None:
        if self.goals and cost < self.cost.get(state, math.inf):
            self.cost[state], self.came[state] = cost, before
            left = min(abs(state[0][0] - x) + abs(state[0][1] - y) for x, y in self.goals)
            heapq.heappush(self.queue, (cost + PULL * left, len(self.cost), state))

    def _free(self, port: Port) -> bool:
        way = (port.way + 2) % 4
        return all(self.grid.cost(port.out(cells), way, self.net) is not None for cells in range(1, STUB + 1))

    def _walked(self, end: State) -> list[Point]:
        points = [self.ends[end][0].at, end[0]]
        before = self.came[end]
        while not isinstance(before, Port):
            points.append(before[0])
            before = self.came[before]
        return _straightened([before.at, *points[::-1]])


def _straightened(points: list[Point]) -> list[Point]:
    """The points at which a course turns, and its ends."""
    kept = [points[0]]
    for before, point, after in zip(points, points[1:], points[2:], strict=False):
        if (before[0] == point[0]) != (point[0] == after[0]):
            kept.append(point)
    return [*kept, points[-1]]


def _exits(box: Box) -> Iterator[Port]:
    """Where arrows leave a box."""
    x, y = box.middle
    yield Port((box.x + box.w, y), 0)
    yield Port((box.x, y), 2)
    yield Port((x, box.y + box.h), 1)
    yield Port((x, box.y), 3)


def _entries(box: Box, edge: Edge) -> Iterator[tuple[Port, float]]:
    """Where an arrow may come in, and at what extra cost."""
    if edge.source in box.gates:
        yield Port((box.x, box.gates[edge.source]), 2), 0.0
        return
    x, y = box.middle
    yield Port((box.x, y), 2), 0.0
    yield Port((box.x + box.w, y), 0), 1.0
    yield Port((x, box.y), 3), 0.0
    yield Port((x, box.y + box.h), 1), 0.0
    for off in (-4, 4):
        yield Port((x + off, box.y), 3), ASIDE
        yield Port((x + off, box.y + box.h), 1), ASIDE
    for off in (off for i in range(2, box.h // 2, 2) for off in (-i, i)):
        yield Port((box.x, y + off), 2), 2.0
        yield Port((box.x + box.w, y + off), 0), 4.0

"""Two nodes that lose nothing while the way between them is cut, again and again, on one screen.

A child node reads this machine (`readings`) and posts each reading as an event; a parent node
receives them. A table of steps (`scenario`) cuts connections and takes the broker away
(`network`) while readings go on. What became of every event is counted by its id (`tally`).

`play` is the performance. It tells a `view` what happens: a `screen`, made of `panels` and shown
`live` on a terminal, or `lines` of JSON. `main` is the command; `picture` draws the screen for the
documentation.
"""

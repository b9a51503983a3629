"""What gwproactor costs and how fast it is, measured beside what it is compared with.

`make bench` runs them. A benchmark is a module here with a function that measures and returns a
report; `__main__` lists them. The pieces are shared: `contestants` are the programs compared, each
a process that prints the `transition` lines of `gwproactor node`; `relay` is a TCP relay that cuts;
`processes` runs programs that speak JSON lines; `measures` is the arithmetic; `report` shows it.
"""

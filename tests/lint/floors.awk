# Reads the table `floors`, then C files; reports each include that the table forbids.
function report(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
function floor_of(path, part)
{
    split(path, part, "/")
    return part[1] == "src" || part[1] == "include" ? part[2] : ""
}
FNR == 1 { files++; floor = floor_of(FILENAME); first = 1 }
files == 1 {
    sub(/#.*/, "")
    if (!NF)
        next
    name = $1
    sub(/:$/, "", name)
    known[name] = 1
    allowed[name, name] = 1
    for (i = 2; i <= NF; i++) {
        if (!($i in known))
            report("floor " name " names " $i ", which is not above it")
        allowed[name, $i] = 1
    }
    next
}
FNR == 1 && !(floor in known) { report("no floor of the table holds this file") }
!/^[ \t]*#[ \t]*include/ { next }
{
    header = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", header)
    sub(/[ \t]*$/, "", header)
}
header ~ /^</ {
    if (header in known && !((header, floor) in allowed))
        report(floor " may not include " header)
    first = 0
    next
}
{
    gsub(/"/, "", header)
    if (header ~ /\.\./)
        report("include by its path from the floor, not by ..")
    split(header, part, "/")
    if (part[2] != "" && !((floor, part[1]) in allowed))
        report(floor " may not include " part[1] " (" header ")")
    own = FILENAME
    sub(/^src\//, "", own)
    sub(/\.c$/, ".h", own)
    if (FILENAME ~ /^src\// && header == own && !first)
        report("a file includes its own header first")
    first = 0
}
END { exit bad }

# Reads the table `banned`, then lines "file:line:code" of strip.awk.
function report(text) { print place ": " text; bad = 1 }
FILENAME != "-" {
    if ($0 ~ /^#/ || !NF)
        next
    split($0, column, /[ \t]*[|][ \t]*/)
    instead[column[1]] = column[2]
    count = split(column[3], file, " ")
    for (i = 1; i <= count; i++)
        allowed[column[1], file[i]] = 1
    next
}
{
    split($0, part, ":")
    place = part[1] ":" part[2]
    code = " " substr($0, length(place) + 2)
}
{
    sizes = code
    gsub(/sizeof *\(?\*+/, "sizeof", sizes)
    if (sizes ~ /[^A-Za-z0-9_](malloc|realloc) *\([^;]*[A-Za-z0-9_)\]] *\* *[A-Za-z0-9_(]/)
        report("a product as an allocation size: use mem_array")
}
{
    while (match(code, /[A-Za-z_][A-Za-z0-9_]* *\(/)) {
        name = substr(code, RSTART, RLENGTH - 1)
        sub(/ *$/, "", name)
        if (name in instead && substr(code, RSTART - 1, 1) !~ /[.>]/ && !((name, part[1]) in allowed))
            report(name "() is banned: use " instead[name])
        code = " " substr(code, RSTART + RLENGTH)
    }
}
END { exit bad }
